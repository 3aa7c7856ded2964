/** One schema for every setting of a peer, read from file, environment and flags, each value with its origin. @packageDocumentation */
export {}
