/** Ways to find peers, the minimum-peers loop and the address book that survives a restart. @packageDocumentation */
export {}
