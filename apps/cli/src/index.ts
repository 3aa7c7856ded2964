/**
 * @packageDocumentation
 *
 * The command line of the P2P Marketplace Registry. Each verb but `start` and those that need no peer asks the running one.
 */

export { main } from './main.ts'
export { createProgram } from './program.ts'
