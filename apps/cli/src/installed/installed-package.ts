/** One package as a lockfile or a `node_modules` has it. */
export interface InstalledPackage {
  /** Where it lies, from the folder of the project; absent when only a lockfile tells of it. */
  path?: string
  /** The name it is installed by. */
  name: string
  version: string
  /** The hashes that the lock has for its tarball; absent when it has none. */
  integrity?: string
  /** Where the lock has its tarball from. */
  address?: string
}

/** An entry of which a lock may leave out what is optional. */
export function packageOf(
  { name, version }: { name: string; version: string },
  optional: Readonly<Partial<Record<'path' | 'integrity' | 'address', unknown>>>
): InstalledPackage {
  const one: InstalledPackage = { name, version }
  const { path, integrity, address } = optional
  if (typeof path === 'string') one.path = path
  if (typeof integrity === 'string') one.integrity = integrity
  if (typeof address === 'string') one.address = address
  return one
}
