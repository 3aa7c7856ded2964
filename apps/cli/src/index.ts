/** The command line of the P2P Marketplace Registry. @packageDocumentation */
export {}
