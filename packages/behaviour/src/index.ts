/** MarketplaceBehaviour: the libp2p node of a peer, and its policies as pure functions. @packageDocumentation */
export {}
