/** What the command `registry` runs. */
export {}
