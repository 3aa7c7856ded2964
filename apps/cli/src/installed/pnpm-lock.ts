import { parseMap } from '@registry/types'
import { parse } from 'yaml'
import { type InstalledPackage, packageOf } from './installed-package.ts'

/** Reads a `pnpm-lock.yaml`, version 6 or later. @throws ERR_INVALID_VALUE */
export function readPnpmLock(text: string): InstalledPackage[] {
  const { packages } = parseMap(parse(text), 'lockfile')
  return Object.entries(parseMap(packages ?? {}, 'packages')).flatMap(([key, value]) => {
    // `/@scope/name@1.0.0(peer@2.0.0)`, since version 9 without the slash and what peers it was resolved with.
    const [, name, version] = /^\/?(@[^/]+\/[^@]+|[^@/]+)@([^(]+)/.exec(key) ?? []
    if (name === undefined || version === undefined) return []
    const { integrity, tarball: address } = parseMap(parseMap(value, key).resolution, key)
    return [packageOf({ name, version }, { integrity, address })]
  })
}
