/** What the command `registry` runs. */
import { exitWith, hideSqliteWarning } from '@registry/node'
import { main } from './main.ts'

hideSqliteWarning()
// A reader that has enough, as `head`, closes the pipe: that is an end, not a fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
await exitWith(await main(process.argv.slice(2)))
