import { parseMap } from '@registry/types'
import { parse } from 'yaml'
import { type InstalledPackage, packageOf } from './installed-package.ts'

/** Reads a `bun.lock`, which is JSON with commas at its ends, as YAML has them too. @throws ERR_INVALID_VALUE */
export function readBunLock(text: string): InstalledPackage[] {
  const { packages } = parseMap(parse(text), 'lockfile')
  return Object.values(parseMap(packages ?? {}, 'packages')).flatMap((value) => {
    // `["leaf@1.0.0", ADDRESS, { … }, INTEGRITY]`; workspaces and folders have less.
    if (!Array.isArray(value) || value.length < 4) return []
    const [id, address, , integrity]: unknown[] = value
    const [, name, version] = /^(@[^/]+\/[^@]+|[^@/]+)@([^@:]+)$/.exec(String(id)) ?? []
    if (name === undefined || version === undefined) return []
    return [packageOf({ name, version }, { integrity, address })]
  })
}
