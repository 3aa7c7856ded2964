import type { Command } from 'commander'
import { withTempDir } from '../download.ts'
import { bytes, fields, plain, plural, print, printJson } from '../output.ts'
import { does, verb } from '../verb.ts'

export function validateVerb(): Command {
  const command = verb('validate [path]', {
    summary: 'Check a folder or .tgz as a publish would, without publishing.',
    details: 'Needs no peer. A warning is no failure.',
    example: 'registry validate web-kit'
  })
  return does<[string | undefined], { json?: boolean }>(command, async (options, signal, path = '.') => {
    const { validatePackage } = await import('@registry/registry')
    const { release, warnings } = await withTempDir((tmpDir) => validatePackage(path, { tmpDir, signal }))
    if (options.json) return printJson({ valid: true, release, warnings })
    print(
      ...fields([
        ['Package', `${release.name}@${release.version}`],
        ['Manifest', release.manifest.file],
        ['Files', `${plural(release.fileCount, 'file')}, ${bytes(release.unpackedSize)}`],
        ['Tarball', bytes(release.size)]
      ]),
      ...warnings.map(({ message }) => `Warning: ${plain(message)}`),
      'It can be published.'
    )
  })
}
