import { project } from '../vitest.base.ts'

// Real processes: a verb of the command line takes half a second, several when the machine is busy.
export default project('e2e', { testTimeout: 60_000 })
