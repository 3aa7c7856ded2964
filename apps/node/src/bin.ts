/** What the command `registry-node` runs. */
import { main } from './main.ts'
import { exitWith } from './run-node.ts'
import { hideSqliteWarning } from './warnings.ts'

hideSqliteWarning()
await exitWith(await main(process.argv.slice(2)))
