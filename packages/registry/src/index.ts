/** P2PRegistry: publish, search, get, subscribe and all else a user does with the registry. @packageDocumentation */
export {}
