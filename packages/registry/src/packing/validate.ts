import type { PackOptions } from './pack.ts'
import { withTarball } from './pack.ts'
import { openSource } from './source.ts'
import { inspectTarball, type ReleaseFields } from './tarball.ts'

/** Something that does not stop a publish, but that its users would miss. */
export interface PackageWarning {
  /** The field of the release it is about. */
  field: keyof ReleaseFields
  message: string
}

export interface ValidatedPackage {
  release: ReleaseFields
  warnings: PackageWarning[]
}

/**
 * Makes all the checks of a publish of a folder or `.tgz` without publishing: packs it and reads it back. Whether the
 * version exists already is for the registry to say.
 *
 * @throws as `packPackage`
 */
export async function validatePackage(path: string, options: PackOptions = {}): Promise<ValidatedPackage> {
  const opened = await openSource({ kind: 'path', path }, options)
  const release = await withTarball(opened, options, (tarball) => inspectTarball(tarball, options))
  return { release, warnings: warningsOf(release) }
}

function warningsOf(release: ReleaseFields): PackageWarning[] {
  const warnings: PackageWarning[] = []
  if (release.license === undefined) {
    warnings.push({ field: 'license', message: 'There is no license: nobody may use it.' })
  }
  if (release.description === '') {
    warnings.push({ field: 'description', message: 'There is no description: a search will hardly find it.' })
  }
  if (release.category === 'uncategorized') {
    warnings.push({
      field: 'category',
      message: 'There is no category: it will be listed under "uncategorized".'
    })
  }
  for (const [name, range] of Object.entries(release.dependencies)) {
    if (!/^(workspace|file|link|portal|catalog):/.test(range)) continue
    warnings.push({
      field: 'dependencies',
      message: `${JSON.stringify(name)} is required as ${JSON.stringify(range)}, which means nothing on another machine.`
    })
  }
  return warnings
}
