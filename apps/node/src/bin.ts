/** What the command `registry-node` runs. */
import { main } from './main.ts'
import { exitWith } from './run-node.ts'

exitWith(await main(process.argv.slice(2)))
