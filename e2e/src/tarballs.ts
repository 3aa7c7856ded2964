import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runOk } from './process.ts'

const root = join(import.meta.dirname, '../..')

/** Builds what changed, then packs every published package; tarballs by package name, as a user would get them. */
export async function packPackages(): Promise<ReadonlyMap<string, string>> {
  await runOk('turbo', ['run', 'build', '--output-logs=errors-only'], { cwd: root })
  const folder = await mkdtemp(join(tmpdir(), 'registry-tarballs-'))
  await runOk(
    'pnpm',
    ['--filter', './packages/*', '--filter', './apps/*', 'pack', '--pack-destination', folder],
    {
      cwd: root
    }
  )
  const tarballs = new Map<string, string>()
  for (const file of await readdir(folder)) {
    const name = /^registry-(.+)-\d+\.\d+\.\d+.*\.tgz$/.exec(file)?.[1]
    if (name !== undefined) tarballs.set(`@registry/${name}`, join(folder, file))
  }
  return tarballs
}
