import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ErrorCode } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { inspectTarball, unpackTarball } from '../../src/index.ts'
import { tempFolder } from '../temp-folder.ts'
import { entryBlocks, manifestEntry, pax, type RawEntry, tar, tarball } from './tarballs.ts'

const manifest = manifestEntry()
const file = (path: string, extra: Partial<RawEntry> = {}): RawEntry => ({ path, content: 'x', ...extra })
const bytes = (...parts: readonly Uint8Array[]): Uint8Array => gzipSync(Buffer.concat(parts))
const end = Buffer.alloc(1024)

const REFUSED: ReadonlyArray<[what: string, code: ErrorCode, tarball: Uint8Array]> = [
  // Paths
  ['a parent folder in a path', 'ERR_UNSAFE_PATH', tarball(manifest, file('package/../../etc/passwd'))],
  ['an absolute path', 'ERR_UNSAFE_PATH', tarball(manifest, file('/etc/passwd'))],
  [
    'an absolute path after the top folder',
    'ERR_UNSAFE_PATH',
    tarball(manifest, file('package//etc/passwd'))
  ],
  [
    'a path made absolute by an extended header',
    'ERR_UNSAFE_PATH',
    tarball(manifest, pax({ path: '/etc/x' }), file('package/a'))
  ],
  ['a path whose prefix escapes', 'ERR_UNSAFE_PATH', tarball(manifest, file('a', { prefix: 'package/..' }))],
  [
    'a path of GNU that escapes',
    'ERR_UNSAFE_PATH',
    tarball(manifest, { path: '././@LongLink', type: 'L', content: 'package/../x\0' }, file('package/a'))
  ],
  ['a backslash', 'ERR_UNSAFE_PATH', tarball(manifest, file('package/..\\..\\x'))],
  ['a drive letter', 'ERR_UNSAFE_PATH', tarball(manifest, file('package/C:x'))],
  ['a drive letter for the top folder', 'ERR_UNSAFE_PATH', tarball(file('C:/a'))],
  ['NUL in a path', 'ERR_UNSAFE_PATH', tarball(manifest, pax({ path: 'package/a\0b' }), file('package/a'))],
  ['a line break in a path', 'ERR_UNSAFE_PATH', tarball(manifest, file('package/a\nb'))],
  [
    'a path that is no UTF-8',
    'ERR_UNSAFE_PATH',
    bytes(entryBlocks(manifest), latin1Name('package/\xff'), end)
  ],
  ['the name of a device', 'ERR_UNSAFE_PATH', tarball(manifest, file('package/lib/Aux.js'))],
  ['a name that ends in a dot', 'ERR_UNSAFE_PATH', tarball(manifest, file('package/a./b'))],
  ['a Git hook', 'ERR_UNSAFE_PATH', tarball(manifest, file('package/.git/hooks/post-checkout'))],
  [
    'a Git hook in other case, with a character nobody sees',
    'ERR_UNSAFE_PATH',
    tarball(manifest, file('package/.G\u200cit/config'))
  ],
  [
    'a path of 1100 bytes',
    'ERR_UNSAFE_PATH',
    tarball(manifest, pax({ path: `package/${'d/'.repeat(546)}last` }), file('package/a'))
  ],
  [
    'a part of 256 bytes',
    'ERR_UNSAFE_PATH',
    tarball(manifest, pax({ path: `package/${'é'.repeat(128)}` }), file('package/a'))
  ],
  ['a file beside the top folder', 'ERR_UNSAFE_PATH', tarball(manifest, file('other/a'))],
  ['a file in no folder', 'ERR_UNSAFE_PATH', tarball(file('package.json'))],
  ['a leading "./"', 'ERR_UNSAFE_PATH', tarball(file('./package/package.json'))],
  ['one name twice', 'ERR_UNSAFE_PATH', tarball(manifest, file('package/a'), file('package/a'))],
  [
    'one manifest twice, once by an extended header',
    'ERR_UNSAFE_PATH',
    tarball(manifest, pax({ path: 'package/package.json' }), file('package/a'))
  ],
  [
    'two names that differ in case',
    'ERR_UNSAFE_PATH',
    tarball(manifest, file('package/readme'), file('package/README'))
  ],
  [
    'two names that are one when composed',
    'ERR_UNSAFE_PATH',
    tarball(manifest, file('package/\u00e9'), file('package/e\u0301'))
  ],
  [
    '"ß" beside "SS"',
    'ERR_UNSAFE_PATH',
    tarball(manifest, file('package/stra\u00dfe'), file('package/STRASSE'))
  ],
  [
    'a file that is a folder later',
    'ERR_UNSAFE_PATH',
    tarball(manifest, file('package/a'), file('package/A/b'))
  ],
  [
    'a folder that is a file later',
    'ERR_UNSAFE_PATH',
    tarball(manifest, file('package/a/b'), file('package/a'))
  ],
  // Kinds
  ['a symbolic link', 'ERR_UNSAFE_ENTRY', tarball(manifest, { path: 'package/l', type: '2', link: '/etc' })],
  [
    'a hard link',
    'ERR_UNSAFE_ENTRY',
    tarball(manifest, { path: 'package/l', type: '1', link: 'package/package.json' })
  ],
  ['a character device', 'ERR_UNSAFE_ENTRY', tarball(manifest, { path: 'package/d', type: '3' })],
  ['a block device', 'ERR_UNSAFE_ENTRY', tarball(manifest, { path: 'package/d', type: '4' })],
  ['a named pipe', 'ERR_UNSAFE_ENTRY', tarball(manifest, { path: 'package/p', type: '6' })],
  ['a sparse file', 'ERR_UNSAFE_ENTRY', tarball(manifest, { path: 'package/s', type: 'S' })],
  [
    'a sparse file of another format',
    'ERR_UNSAFE_ENTRY',
    tarball(manifest, pax({ 'GNU.sparse.major': '1' }), file('package/s'))
  ],
  ['an unknown kind', 'ERR_UNSAFE_ENTRY', tarball(manifest, { path: 'package/u', type: 'Z' })],
  [
    'the target of a link for a file',
    'ERR_UNSAFE_ENTRY',
    tarball(manifest, pax({ linkpath: '/etc' }), file('package/a'))
  ],
  // What two programs would read differently
  ['a wrong checksum', 'ERR_CORRUPT_TARBALL', tarball(manifest, file('package/a', { checksum: 1 }))],
  [
    'a file cut off',
    'ERR_CORRUPT_TARBALL',
    bytes(entryBlocks(manifest), entryBlocks(file('package/a', { size: 5000 })))
  ],
  [
    'an end within a header',
    'ERR_CORRUPT_TARBALL',
    bytes(entryBlocks(manifest), new Uint8Array(100).fill(1))
  ],
  [
    'an extended header of nothing',
    'ERR_CORRUPT_TARBALL',
    bytes(entryBlocks(manifest), entryBlocks(pax({ path: 'a' })), end)
  ],
  ['a file after the end', 'ERR_CORRUPT_TARBALL', bytes(tar(manifest), entryBlocks(file('package/a')), end)],
  ['bytes after the gzip', 'ERR_CORRUPT_TARBALL', Buffer.concat([tarball(manifest), Buffer.from('more')])],
  [
    'a second gzip with another package',
    'ERR_CORRUPT_TARBALL',
    Buffer.concat([tarball(manifest), tarball(manifest)])
  ],
  [
    'a folder with content',
    'ERR_CORRUPT_TARBALL',
    tarball(manifest, { path: 'package/d', type: '5', content: 'x' })
  ],
  [
    'a size that is no number',
    'ERR_CORRUPT_TARBALL',
    tarball(manifest, pax({ size: '-1' }), file('package/a'))
  ],
  [
    'an extended header for all files',
    'ERR_CORRUPT_TARBALL',
    tarball(manifest, pax({ path: 'package/b' }, 'g'), file('package/a'))
  ],
  [
    'an extended header that changes the kind',
    'ERR_CORRUPT_TARBALL',
    tarball(manifest, pax({ type: 'SymbolicLink' }), file('package/a'))
  ],
  [
    'an extended header that overstates its length',
    'ERR_CORRUPT_TARBALL',
    tarball(manifest, { path: 'PaxHeader', type: 'x', content: '99 path=a\n' }, file('package/a'))
  ],
  [
    'an endless extended header',
    'ERR_CORRUPT_TARBALL',
    tarball(manifest, { path: 'PaxHeader', type: 'x', content: 'x'.repeat(70_000) })
  ],
  ['no gzip', 'ERR_CORRUPT_TARBALL', tar(manifest)],
  ['no tar', 'ERR_CORRUPT_TARBALL', gzipSync(new Uint8Array(4096).fill(120))],
  ['nothing', 'ERR_CORRUPT_TARBALL', tarball()],
  ['half of a tarball', 'ERR_CORRUPT_TARBALL', tarball(manifest).subarray(0, 60)],
  ['no bytes at all', 'ERR_CORRUPT_TARBALL', new Uint8Array()],
  // Manifests
  ['no manifest', 'ERR_NO_MANIFEST', tarball(file('package/a'))],
  ['a manifest below the top only', 'ERR_NO_MANIFEST', tarball(file('package/lib/package.json'))],
  ['a manifest in other case', 'ERR_NO_MANIFEST', tarball(file('package/Package.json'))],
  ['a manifest that is no JSON', 'ERR_INVALID_MANIFEST', tarball(file('package/package.json'))],
  [
    'a manifest of 2 MiB',
    'ERR_TOO_LARGE',
    tarball(file('package/package.json', { content: ' '.repeat(2 ** 21) }))
  ]
]

function latin1Name(name: string): Uint8Array {
  const block = Buffer.from(entryBlocks({ path: 'x'.repeat(name.length) }))
  block.write(name, 0, 'latin1')
  block.fill(' ', 148, 156)
  block.write(
    `${block
      .subarray(0, 512)
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148
  )
  return block
}

describe('a hostile tarball', () => {
  it.each(REFUSED)('with %s is refused as %s when inspected', async (_, code, content) => {
    await expect(inspectTarball([content])).rejects.toMatchObject({ code })
  })

  const unpackable = REFUSED.filter(([, code]) => /PATH|ENTRY|CORRUPT/.test(code))
  it.each(unpackable)(
    'with %s is refused as %s when unpacked, and leaves nothing',
    async (_, code, content) => {
      const folder = await tempFolder()
      await expect(unpackTarball([content], join(folder, 'out'))).rejects.toMatchObject({ code })
      expect(await readdir(folder)).toEqual([])
    }
  )
})

describe('the bounds', () => {
  it('stop a bomb that never ends', async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield gzipSync(entryBlocks(file('package/zeros', { size: 4 * 1024 ** 3 - 1 })).subarray(0, 512))
      const zeros = gzipSync(new Uint8Array(2 ** 22))
      for (;;) yield zeros
    }
    const limits = { ratioFreeBytes: 2 ** 20 }
    await expect(inspectTarball(source(), { limits })).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
    await expect(inspectTarball(source())).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
  })

  it('hold for the files together, by their headers alone', async () => {
    const content = tarball(manifest, file('package/a', { size: 2 ** 20 }))
    const limits = { maxUnpackedBytes: 2 ** 20 }
    await expect(inspectTarball([content], { limits })).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
  })

  it('hold for the number of files', async () => {
    const content = tarball(manifest, file('package/a'), file('package/b'))
    await expect(inspectTarball([content], { limits: { maxEntries: 2 } })).rejects.toMatchObject({
      code: 'ERR_TOO_LARGE'
    })
    await expect(inspectTarball([content], { limits: { maxEntries: 3 } })).resolves.toMatchObject({
      fileCount: 3
    })
  })

  it('hold for folders too', async () => {
    const folders = Array.from({ length: 5 }, (_, index) => ({ path: `package/${index}/`, type: '5' }))
    await expect(inspectTarball([tarball(...folders)], { limits: { maxEntries: 4 } })).rejects.toMatchObject({
      code: 'ERR_TOO_LARGE'
    })
  })

  it('hold for the memory that the paths take', async () => {
    const content = tarball(manifest, file(`package/${'a'.repeat(80)}`), file(`package/${'b'.repeat(80)}`))
    await expect(inspectTarball([content], { limits: { maxPathsBytes: 150 } })).rejects.toMatchObject({
      code: 'ERR_TOO_LARGE'
    })
  })

  it('hold for the tarball itself', async () => {
    const content = tarball(manifest, file('package/noise', { content: randomBytes(10_000) }))
    await expect(inspectTarball([content], { limits: { maxPackageBytes: 5000 } })).rejects.toMatchObject({
      code: 'ERR_TOO_LARGE'
    })
  })
})

describe('an unusual tarball', () => {
  it('may have any name for its top folder, folders of their own and an end without zeros', async () => {
    const entries = [
      { path: 'example-1.0.0/', type: '5' },
      { path: 'example-1.0.0/lib/', type: '5' },
      { ...manifest, path: 'example-1.0.0/package.json' },
      file('example-1.0.0/lib/a'),
      { path: 'example-1.0.0/lib/', type: '5' }
    ]
    await expect(inspectTarball([bytes(...entries.map(entryBlocks))])).resolves.toMatchObject({
      name: 'example',
      fileCount: 2
    })
  })

  it('may come from git, with a comment for all files, and from GNU with long names', async () => {
    const long = `package/${'n'.repeat(200)}`
    const content = tarball(
      pax({ comment: 'a commit' }, 'g'),
      manifest,
      { path: '././@LongLink', type: 'L', content: `${long}\0` },
      file('package/cut')
    )
    const folder = await tempFolder()
    await unpackTarball([content], join(folder, 'out'))
    expect(await readdir(join(folder, 'out'))).toEqual(['n'.repeat(200), 'package.json'])
  })

  it('is read the same wherever its bytes are cut, also within a character', async () => {
    const path = `package/${'日本語/'.repeat(90)}x`
    const content = tarball(manifest, pax({ path }), file('package/a'))
    const expected = await inspectTarball([content])
    for (const size of [1, 7, 512, 1000]) {
      const pieces: Uint8Array[] = []
      for (let offset = 0; offset < content.length; offset += size)
        pieces.push(content.subarray(offset, offset + size))
      expect(await inspectTarball(pieces)).toEqual(expected)
    }
  })
})
