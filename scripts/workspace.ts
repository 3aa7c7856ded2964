import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The repository's folder. */
export const root: string = dirname(import.meta.dirname)

export interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface WorkspacePackage {
  /** Relative to the root, such as `packages/types`. */
  readonly folder: string
  readonly manifest: Manifest
}

/** What is published: every package and app, by folder. */
export function workspacePackages(): WorkspacePackage[] {
  return globSync('{packages,apps}/*', { cwd: root })
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .sort()
    .map((folder) => ({
      folder,
      manifest: JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest
    }))
}

/** The variables of this process, under which tools that would look for their own updates or report their use do neither. */
export function quietEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, DO_NOT_TRACK: '1', TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' }
}
