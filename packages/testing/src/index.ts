/** Contract suites, seeded keys, a manual clock and test networks for the layers of the registry. @packageDocumentation */
export {}
