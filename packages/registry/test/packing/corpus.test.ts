import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packPackage, unpackTarball } from '../../src/index.ts'
import { tempFolder } from '../temp-folder.ts'

const corpus = process.env.REGISTRY_CORPUS_DIR ?? join(import.meta.dirname, '../../../../../shared/corpus')
const packs = join(corpus, 'ggen', 'packs')
const names = await readdir(packs).catch(() => [])

async function contents(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) files.set(path.slice(folder.length + 1), await readFile(path))
  }
  return files
}

describe.skipIf(names.length === 0)(
  'the packs of the ggen marketplace (skipped where the corpus is absent)',
  () => {
    it('are all packages, and are the same after packing and unpacking', { timeout: 120_000 }, async () => {
      const folder = await tempFolder()
      await mkdir(join(folder, 'packed'))
      for (const name of names) {
        const { path, release } = await packPackage(join(packs, name), { tmpDir: join(folder, 'packed') })
        // One pack has a gpack.toml beside its pack.toml, and is called by the id in there.
        expect(release.name).toBe(release.manifest.file === 'gpack.toml' ? 'mfw.pcp.level5' : name)
        await unpackTarball(path, join(folder, name))
        const [source, unpacked] = [await contents(join(packs, name)), await contents(join(folder, name))]
        expect(release.fileCount).toBe(source.size)
        expect([...unpacked.keys()].sort()).toEqual([...source.keys()].sort())
        for (const [file, bytes] of source) {
          expect(Buffer.compare(unpacked.get(file) ?? Buffer.of(), bytes), `${name}/${file}`).toBe(0)
        }
      }
      expect(names).toHaveLength(143)
    })
  }
)
