import { InvalidValueError, parseMap } from '@registry/types'
import { type InstalledPackage, packageOf } from './installed-package.ts'

/** Reads a `package-lock.json`, or what npm keeps of it in `node_modules`. @throws ERR_INVALID_VALUE */
export function readNpmLock(text: string): InstalledPackage[] {
  const { packages } = parseMap(JSON.parse(text), 'lockfile')
  return Object.entries(parseMap(packages, 'packages')).flatMap(([path, value]) => {
    const { version, integrity, resolved: address, name, link, inBundle } = parseMap(value, path)
    // The project itself, its workspaces, and what came inside of another package have no tarball of their own.
    const at = path.lastIndexOf('node_modules/')
    if (at === -1 || link === true || inBundle === true || typeof version !== 'string') return []
    if (path.split('/').includes('..')) throw new InvalidValueError(path, 'leads out of the project')
    const installedAs = path.slice(at + 'node_modules/'.length)
    // An alias says whose name it is.
    const meant = typeof name === 'string' ? name : installedAs
    return [packageOf({ name: meant, version }, { path, integrity, address })]
  })
}
