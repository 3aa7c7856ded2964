import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CarReader } from '@ipld/car'
import { signAttestation, signRelease, signStatement } from '@registry/identity'
import {
  makeAttestation,
  makeRelease,
  makeStatement,
  manualClock,
  memoryStore,
  seededOwner
} from '@registry/testing'
import { type Catalogue, isRegistryError, parseMap, RECORD_KINDS, type RegistryError } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exportCatalogueFile, importCatalogueFile, verifyCatalogueFile } from '../src/index.ts'
import { tempFolder } from './temp-folder.ts'

function emptyCatalogue(): Catalogue {
  return memoryStore()({ clock: manualClock() }).catalogue
}

/** Records of every kind, by several owners, as they might arrive. */
async function someRecords(): Promise<Uint8Array[]> {
  const [ada, bob] = await Promise.all([seededOwner('ada'), seededOwner('bob')])
  const versions = ['1.0.0', '1.1.0', '2.0.0']
  const releases = [ada, bob].flatMap((owner) =>
    versions.map((version) =>
      signRelease(makeRelease({ owner: owner.id, name: 'kit', version }), owner.signer)
    )
  )
  const fact = { field: 'yank', version: '1.0.0', reason: 'broken' } as never
  return [
    ada.inception,
    bob.inception,
    ...(await Promise.all(releases)),
    await signStatement(makeStatement({ owner: ada.id, name: 'kit', fact }), ada.signer),
    await signAttestation(makeAttestation({ issuer: bob.id, owner: ada.id, name: 'kit' }), bob.signer)
  ]
}

async function exported(records: readonly Uint8Array[]): Promise<{ path: string; bytes: Buffer }> {
  const catalogue = emptyCatalogue()
  await catalogue.ingest(records)
  const path = join(await tempFolder(), 'catalogue.car')
  await exportCatalogueFile(path, catalogue)
  return { path, bytes: await readFile(path) }
}

async function refusal(call: Promise<unknown>): Promise<RegistryError | undefined> {
  return call.then(
    () => undefined,
    (error: unknown) => {
      if (isRegistryError(error)) return error
      throw error
    }
  )
}

/** Where each block of a file begins and ends, the root first. */
async function sectionsOf(bytes: Uint8Array): Promise<Array<{ start: number; end: number }>> {
  const { CarIndexer } = await import('@ipld/car')
  const sections: Array<{ start: number; end: number }> = []
  for await (const { offset, length } of await CarIndexer.fromBytes(bytes)) {
    sections.push({ start: offset, end: offset + length })
  }
  return sections
}

describe('a catalogue file', () => {
  it('carries a catalogue from one peer to another', async () => {
    const records = await someRecords()
    const { path, bytes } = await exported(records)
    const there = emptyCatalogue()
    const steps: Array<{ records: number; total: number }> = []
    const report = await importCatalogueFile(path, there, { onProgress: (step) => steps.push(step) })
    expect(report).toEqual({
      path,
      records: records.length,
      bytes: bytes.length,
      accepted: records.length,
      known: 0,
      superseded: 0,
      refused: 0
    })
    expect(steps.at(-1)).toEqual({ records: records.length, total: records.length })
    const here = emptyCatalogue()
    await here.ingest(records)
    expect(there.summary()).toEqual(here.summary())
    expect(await importCatalogueFile(path, there)).toMatchObject({ accepted: 0, known: records.length })
  })

  it('is the same for the same records, in whatever order they came', async () => {
    const records = await someRecords()
    const { bytes } = await exported(records)
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(records, { minLength: records.length }), async (order) => {
        const catalogue = emptyCatalogue()
        // What comes before its owner is refused, and comes again.
        await catalogue.ingest(order)
        await catalogue.ingest(order)
        const path = join(await tempFolder(), 'catalogue.car')
        await exportCatalogueFile(path, catalogue)
        expect((await readFile(path)).equals(bytes)).toBe(true)
      }),
      { numRuns: 20 }
    )
  })

  it('is a CAR that other programs read: a root that says what follows, then the records in order', async () => {
    const records = await someRecords()
    const { bytes } = await exported(records)
    const reader = await CarReader.fromBytes(bytes)
    const [root] = await reader.getRoots()
    const blocks = await Array.fromAsync(reader.blocks())
    expect(reader.version).toBe(1)
    expect(blocks[0]?.cid.toString()).toBe(root?.toString())
    const { decode } = await import('@ipld/dag-cbor')
    const catalogue = emptyCatalogue()
    await catalogue.ingest(records)
    expect(decode(blocks[0]?.bytes ?? new Uint8Array())).toEqual({
      type: 'p2p-registry/catalogue/1',
      records: records.length,
      fingerprint: catalogue.summary().fingerprint
    })
    const kinds = blocks.slice(1).map((block) => decode<{ kind: string }>(block.bytes).kind)
    expect(kinds).toEqual(RECORD_KINDS.flatMap((kind) => kinds.filter((one) => one === kind)))
    expect(
      blocks
        .slice(1)
        .map((block) => block.cid.toString())
        .sort()
    ).toEqual(catalogue.recordIds({ scope: { kind: 'all' }, limit: 99 }).ids.toSorted())
  })

  it('of an empty catalogue is one too', async () => {
    const { path } = await exported([])
    expect(await importCatalogueFile(path, emptyCatalogue())).toMatchObject({ records: 0 })
    expect(await verifyCatalogueFile(path)).toMatchObject({ records: 0, fingerprint: '0'.repeat(64) })
  })

  it('goes through a catalogue larger than what is read at once', async () => {
    const ada = await seededOwner('ada')
    const description = 'x'.repeat(15_000)
    const records = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        signRelease(makeRelease({ owner: ada.id, name: `p${index}`, description }), ada.signer)
      )
    )
    const { path, bytes } = await exported([ada.inception, ...records])
    expect(bytes.length).toBeGreaterThan(900_000)
    const steps: number[] = []
    await importCatalogueFile(path, emptyCatalogue(), { onProgress: (step) => steps.push(step.records) })
    expect(steps.at(-1)).toBe(61)
    expect(await verifyCatalogueFile(path)).toMatchObject({ records: 61, kinds: { owner: 1, release: 60 } })
  })
})

describe('exporting', () => {
  it('leaves out what an owner signed who came meanwhile, and takes everything else', async () => {
    const records = await someRecords()
    const catalogue = emptyCatalogue()
    await catalogue.ingest(records)
    const eve = await seededOwner('eve')
    const late = await signRelease(makeRelease({ owner: eve.id, name: 'late' }), eve.signer)
    const path = join(await tempFolder(), 'catalogue.car')
    let came = false
    const onProgress = (): void => {
      if (came) return
      came = true
      void catalogue.ingest([eve.inception, late])
    }
    const report = await exportCatalogueFile(path, catalogue, { onProgress })
    expect(came).toBe(true)
    expect(report.records).toBe(records.length)
    expect(await verifyCatalogueFile(path)).toMatchObject({ records: records.length })
  })

  it('begins anew when what it says at the end has no room at the beginning', async () => {
    const ada = await seededOwner('ada')
    const releases = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        signRelease(makeRelease({ owner: ada.id, name: `p${index}` }), ada.signer)
      )
    )
    const catalogue = emptyCatalogue()
    // 23 is the last number that one byte has room for.
    await catalogue.ingest([ada.inception, ...releases.slice(0, 20)])
    const path = join(await tempFolder(), 'catalogue.car')
    const report = await exportCatalogueFile(path, catalogue, {
      onProgress: () => void catalogue.ingest(releases)
    })
    expect(report.records).toBe(31)
    expect((await stat(path)).size).toBe(report.bytes)
    expect(await verifyCatalogueFile(path)).toMatchObject({ records: 31, bytes: report.bytes })
  })

  it('leaves the file that was there, and nothing else, when it fails or is ended', async () => {
    const folder = await tempFolder()
    const path = join(folder, 'catalogue.car')
    await writeFile(path, 'before')
    const catalogue = emptyCatalogue()
    await catalogue.ingest(await someRecords())
    const reason = new Error('enough')
    const ended = exportCatalogueFile(path, catalogue, { signal: AbortSignal.abort(reason) })
    await expect(ended).rejects.toBe(reason)
    const nowhere = exportCatalogueFile(join(folder, 'no', 'folder'), catalogue)
    expect(await refusal(nowhere)).toMatchObject({ code: 'ERR_STORAGE' })
    expect(await refusal(exportCatalogueFile(folder, catalogue))).toMatchObject({ code: 'ERR_STORAGE' })
    expect(await readFile(path, 'utf8')).toBe('before')
    expect(await readdir(folder)).toEqual(['catalogue.car'])
    await exportCatalogueFile(path, catalogue)
    expect((await verifyCatalogueFile(path)).records).toBeGreaterThan(0)
  })
})

describe('importing a file that is not whole', () => {
  it('takes what stands before the place where it was cut off, wherever that is', async () => {
    const records = await someRecords()
    const { path, bytes } = await exported(records)
    const sections = await sectionsOf(bytes)
    for (const at of [1, 30, (sections[0]?.end ?? 0) + 1, (sections[4]?.end ?? 0) - 1, bytes.length - 1]) {
      await writeFile(path, bytes.subarray(0, at))
      const catalogue = emptyCatalogue()
      const whole = sections.slice(1).filter(({ end }) => end <= at).length
      const error = await refusal(importCatalogueFile(path, catalogue))
      expect(error).toMatchObject({ code: 'ERR_INVALID_CATALOGUE_FILE', details: { count: 1 } })
      expect(error?.details.report).toMatchObject({ accepted: whole })
      expect(error?.details.offset).toBe(sections.findLast(({ start }) => start <= at)?.start ?? 0)
      expect(catalogue.summary().records).toBe(whole)
    }
  })

  it('takes what is around a damaged record, and says where that is', async () => {
    const records = await someRecords()
    const { path, bytes } = await exported(records)
    const sections = await sectionsOf(bytes)
    for (const index of [2, 5, sections.length - 1]) {
      const { start = 0, end = 0 } = sections[index] ?? {}
      const damaged = Buffer.from(bytes)
      damaged[end - 10] = (damaged[end - 10] ?? 0) ^ 1
      await writeFile(path, damaged)
      const catalogue = emptyCatalogue()
      const error = await refusal(importCatalogueFile(path, catalogue))
      expect(error).toMatchObject({
        code: 'ERR_INVALID_CATALOGUE_FILE',
        details: { offset: start, faults: [{ offset: start, reason: expect.stringContaining('hash') }] }
      })
      // An owner takes with him what only he lets be checked.
      const { accepted, refused } = parseMap(error?.details.report, 'report')
      expect(Number(accepted) + Number(refused)).toBe(records.length - 1)
      expect(accepted).toBeGreaterThan(0)
    }
  })

  it('says that records are missing when it was cut off between two, and takes the others', async () => {
    const records = await someRecords()
    const { path, bytes } = await exported(records)
    const sections = await sectionsOf(bytes)
    await writeFile(path, bytes.subarray(0, sections[5]?.end))
    expect(await refusal(importCatalogueFile(path, emptyCatalogue()))).toMatchObject({
      message: expect.stringContaining(`it has 5 of the ${records.length} records it says it has`)
    })
  })

  it('never takes more than a record has room for, and always ends with a typed error', async () => {
    const { path, bytes } = await exported(await someRecords())
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom('flip', 'cut', 'insert'),
        async (at, change, how) => {
          const damaged = Buffer.from(bytes)
          damaged[at] = (damaged[at] ?? 0) ^ change
          if (how === 'cut') await writeFile(path, bytes.subarray(0, at))
          if (how === 'flip') await writeFile(path, damaged)
          if (how === 'insert') {
            await writeFile(
              path,
              Buffer.concat([bytes.subarray(0, at), Buffer.alloc(9, change), bytes.subarray(at)])
            )
          }
          const catalogue = emptyCatalogue()
          const error = await refusal(importCatalogueFile(path, catalogue))
          expect(error?.code).toBe('ERR_INVALID_CATALOGUE_FILE')
          const checked = await refusal(verifyCatalogueFile(path))
          expect(checked?.code).toBe('ERR_INVALID_CATALOGUE_FILE')
        }
      ),
      { numRuns: 150 }
    )
  })

  it('refuses what is no catalogue: another file, another CAR, none at all', async () => {
    const folder = await tempFolder()
    const path = join(folder, 'file')
    const { CarBufferWriter } = await import('@ipld/car')
    const empty = CarBufferWriter.createWriter(new ArrayBuffer(100), { headerSize: 17 }).close({
      resize: true
    })
    const lengths = [Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]), Buffer.alloc(100)]
    for (const content of [Buffer.from('not a CAR at all, but a text'), Buffer.of(), empty, ...lengths]) {
      await writeFile(path, content)
      const error = await refusal(importCatalogueFile(path, emptyCatalogue()))
      expect(error?.code).toBe('ERR_INVALID_CATALOGUE_FILE')
    }
    expect(await refusal(importCatalogueFile(join(folder, 'none'), emptyCatalogue()))).toMatchObject({
      code: 'ERR_INVALID_CATALOGUE_FILE',
      message: expect.stringContaining('does not exist')
    })
    expect(await refusal(verifyCatalogueFile(folder))).toMatchObject({ code: 'ERR_INVALID_CATALOGUE_FILE' })
  })

  it('gives nobody a record that its owner did not sign', async () => {
    const [ada, eve] = await Promise.all([seededOwner('ada'), seededOwner('eve')])
    const forged = await signRelease(makeRelease({ owner: ada.id, name: 'kit' }), eve.signer)
    // A catalogue that checks nothing writes it all the same.
    const records = [ada.inception, forged]
    const unchecked = emptyCatalogue()
    unchecked.snapshot = ({ scope }) => ({
      records: scope.kind === 'owners' ? records.slice(0, 1) : [forged]
    })
    const path = join(await tempFolder(), 'catalogue.car')
    await exportCatalogueFile(path, unchecked)
    const catalogue = emptyCatalogue()
    expect(await importCatalogueFile(path, catalogue)).toMatchObject({ accepted: 1, refused: 1 })
    expect(catalogue.counts().releases).toBe(0)
    expect(await refusal(verifyCatalogueFile(path))).toMatchObject({
      message: expect.stringContaining('a record is not valid')
    })
  })

  it('ends with the reason of its signal', async () => {
    const { path } = await exported(await someRecords())
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(importCatalogueFile(path, emptyCatalogue(), { signal })).rejects.toBe(reason)
    await expect(verifyCatalogueFile(path, { signal })).rejects.toBe(reason)
  })
})

describe('verifying a file', () => {
  it('needs no store, and says what is in it', async () => {
    const records = await someRecords()
    const { path, bytes } = await exported(records)
    const catalogue = emptyCatalogue()
    await catalogue.ingest(records)
    expect(await verifyCatalogueFile(path)).toEqual({
      path,
      records: records.length,
      bytes: bytes.length,
      kinds: { owner: 2, release: 6, statement: 1, attestation: 1 },
      fingerprint: Buffer.from(catalogue.summary().fingerprint).toString('hex')
    })
  })

  it('finds records that stand in another order, twice, or in place of others', async () => {
    const records = await someRecords()
    const { path, bytes } = await exported(records)
    const sections = await sectionsOf(bytes)
    const part = (index: number): Buffer => bytes.subarray(sections[index]?.start, sections[index]?.end)
    const all = sections.map((_, index) => part(index))
    const head = bytes.subarray(0, sections[0]?.start)
    const swapped = [...all.slice(0, 4), part(5), part(4), ...all.slice(6)]
    const twice = [...all.slice(0, 5), part(4), ...all.slice(6)]
    const other = await exported([...records.slice(0, 4), ...records.slice(6)])
    const otherHead = other.bytes.subarray(0, (await sectionsOf(other.bytes))[0]?.end)
    const files: Array<[Uint8Array, string]> = [
      [Buffer.concat([head, ...swapped]), 'a record does not stand where it belongs'],
      [Buffer.concat([head, ...twice]), 'a record does not stand where it belongs'],
      [Buffer.concat([otherHead, ...all.slice(1)]), 'it has 10 of the 8 records']
    ]
    for (const [content, reason] of files) {
      await writeFile(path, content)
      expect((await refusal(verifyCatalogueFile(path)))?.message).toContain(reason)
    }
    // A file of as many records, which are others.
    const eve = await seededOwner('eve')
    const rival = await signRelease(makeRelease({ owner: eve.id, name: 'x' }), eve.signer)
    const same = await exported([eve.inception, rival])
    const ada = await seededOwner('ada')
    const two = await exported([ada.inception, await signRelease(makeRelease({ owner: ada.id }), ada.signer)])
    const sameHead = same.bytes.subarray(0, (await sectionsOf(same.bytes))[0]?.end)
    const twoRecords = two.bytes.subarray((await sectionsOf(two.bytes))[0]?.end)
    await writeFile(path, Buffer.concat([sameHead, twoRecords]))
    expect((await refusal(verifyCatalogueFile(path)))?.message).toContain(
      'its records are others than it says'
    )
  })

  it('reads a file that grows under it up to a whole record, or says so', async () => {
    const { path, bytes } = await exported(await someRecords())
    const file = await open(path, 'a')
    await file.write(bytes.subarray(0, 5))
    await file.close()
    expect(await refusal(verifyCatalogueFile(path))).toMatchObject({ details: { offset: bytes.length } })
  })
})
