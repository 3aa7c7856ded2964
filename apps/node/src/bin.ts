/** What the command `registry-node` runs. */
export {}
