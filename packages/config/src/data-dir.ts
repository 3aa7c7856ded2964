import { homedir, platform } from 'node:os'
import { join } from 'node:path'

const NAME = 'p2p-registry'

/** Where a peer keeps its data unless told: the folder for data of programs that this system's users expect. */
export function defaultDataDir(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env.XDG_DATA_HOME !== undefined && env.XDG_DATA_HOME !== '') return join(env.XDG_DATA_HOME, NAME)
  if (platform() === 'win32' && env.LOCALAPPDATA !== undefined) return join(env.LOCALAPPDATA, NAME)
  if (platform() === 'darwin') return join(homedir(), 'Library', 'Application Support', NAME)
  return join(homedir(), '.local', 'share', NAME)
}
