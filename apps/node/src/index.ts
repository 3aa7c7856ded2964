/** An always-on peer of the P2P Marketplace Registry. @packageDocumentation */
export {}
