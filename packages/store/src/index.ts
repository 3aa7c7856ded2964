/** The record set of a peer, its fold into tables, its search index and its blob store. @packageDocumentation */
export {}
