import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeRelease } from '@registry/testing'
import { type FetchedPackage, parseRecordId, toPackage } from '@registry/types'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { savePackage, withTempDir } from '../src/download.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-download-'))
  path = join(folder, 'package.tgz')
})
afterEach(() => rm(folder, { recursive: true }))

const options = { force: false, signal: new AbortController().signal }

/** A package of these pieces; an error among them ends it there. */
function fetched(...pieces: ReadonlyArray<string | Error>): FetchedPackage {
  const bytes = Buffer.from(pieces.filter((piece) => typeof piece === 'string').join(''))
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  const release = makeRelease({ integrity, size: bytes.length })
  const id = parseRecordId(release.owner)
  const record = { id, release, firstSeenMs: 0, conflicted: false, unpublished: false }
  return {
    package: toPackage(record, { downloads: 0, updatedAtMs: 0 }),
    completeness: { state: 'alone', comparedAtMs: null, agreeing: 0, compared: 0, askedHolders: 0 },
    async *content() {
      for (const piece of pieces) {
        if (piece instanceof Error) throw piece
        yield Buffer.from(piece)
      }
    }
  }
}

describe('saving a package', () => {
  it('writes it whole, under its name alone', async () => {
    await savePackage(fetched('a', 'b'), path, options)
    expect(await readFile(path, 'utf8')).toBe('ab')
    expect(await readdir(folder)).toEqual(['package.tgz'])
  })

  it('reads and replaces nothing that is no file, not even when told to replace', async () => {
    await mkdir(path)
    const saving = savePackage(fetched('a'), path, { ...options, force: true })
    await expect(saving).rejects.toMatchObject({ code: 'ERR_FILE_EXISTS' })
    if (process.platform === 'win32') return
    // A device like this one is read without an end.
    const device = savePackage(fetched('a'), '/dev/zero', options)
    await expect(device).rejects.toMatchObject({ code: 'ERR_FILE_EXISTS' })
  })

  it('leaves nothing when it breaks off', async () => {
    const fault = new Error('broken off')
    await expect(savePackage(fetched('a', fault), path, options)).rejects.toBe(fault)
    expect(await readdir(folder)).toEqual([])
  })

  it('leaves nothing when it is interrupted', async () => {
    const abort = new AbortController()
    const slow = fetched('a', 'b')
    const interrupted: FetchedPackage = {
      ...slow,
      async *content() {
        yield Buffer.from('a')
        abort.abort(new Error('Ctrl-C'))
        await new Promise((resolve) => setImmediate(resolve))
        yield Buffer.from('b')
      }
    }
    const saving = savePackage(interrupted, path, { force: true, signal: abort.signal })
    await expect(saving).rejects.toThrow('Ctrl-C')
    expect(await readdir(folder)).toEqual([])
  })

  it('replaces another file only when told to, and asks for nothing when it is there already', async () => {
    await writeFile(path, 'other')
    await expect(savePackage(fetched('ab'), path, options)).rejects.toMatchObject({ code: 'ERR_FILE_EXISTS' })
    expect(await readFile(path, 'utf8')).toBe('other')
    await savePackage(fetched('ab'), path, { ...options, force: true })
    expect(await readFile(path, 'utf8')).toBe('ab')
    const never: FetchedPackage = {
      ...fetched('ab'),
      content: () => {
        throw new Error('not needed')
      }
    }
    await savePackage(never, path, options)
  })

  it('does not lose a file that appears meanwhile', async () => {
    const race: FetchedPackage = {
      ...fetched('ab'),
      async *content() {
        yield Buffer.from('ab')
        await writeFile(path, 'mine')
      }
    }
    await expect(savePackage(race, path, options)).rejects.toMatchObject({ code: 'ERR_FILE_EXISTS' })
    expect([await readFile(path, 'utf8'), await readdir(folder)]).toEqual(['mine', ['package.tgz']])
  })
})

describe('withTempDir', () => {
  it('removes its folder whatever happens', async () => {
    let seen = ''
    const fault = new Error('no')
    const failing = withTempDir(async (temp) => {
      seen = temp
      await writeFile(join(temp, 'file'), '')
      throw fault
    })
    await expect(failing).rejects.toBe(fault)
    await expect(readdir(seen)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
