/** The typed local API of a running peer, and its client. @packageDocumentation */
export {}
