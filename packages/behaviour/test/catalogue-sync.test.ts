import { recordIdOf } from '@registry/identity'
import { type ManualClock, manualClock, memoryStore, seededBytes, seededOwner } from '@registry/testing'
import {
  type Catalogue,
  type PackageProtocol,
  type PeerIdText,
  type RecordId,
  RegistryError
} from '@registry/types'
import { beforeEach, describe, expect, it } from 'vitest'
import { catalogueSync, type SyncBudget } from '../src/catalogue-sync.ts'
import { signedRelease } from './fixtures.ts'

type Answers = Pick<PackageProtocol, 'catalogueSummary' | 'recordIds' | 'records'>

const peerId = 'peer' as PeerIdText
const budget: SyncBudget = { maxBytes: 1024 * 1024, maxMs: 1000, maxRefused: 10 }
let clock: ManualClock
let local: Catalogue
let remote: Catalogue

beforeEach(() => {
  clock = manualClock()
  local = memoryStore()({ clock }).catalogue
  remote = memoryStore()({ clock }).catalogue
})

/** A peer that answers from `remote`, counting what it is asked. */
function peer(overrides: Partial<Answers> = {}): Answers & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async catalogueSummary(...input) {
      asked.push('catalogueSummary')
      return overrides.catalogueSummary?.(...input) ?? remote.summary()
    },
    async recordIds(from, page) {
      asked.push(`recordIds ${page.kind}`)
      return overrides.recordIds?.(from, page) ?? remote.recordIds(page)
    },
    async records(from, ids) {
      asked.push('records')
      if (overrides.records !== undefined) return overrides.records(from, ids)
      return ids.map((id) => remote.record(id)).filter((record) => record !== undefined)
    }
  }
}

const sync = (protocol: Answers, limits: SyncBudget = budget) =>
  catalogueSync(limits)({ catalogue: local, protocol, clock })(peerId)

async function fill(catalogue: Catalogue, count: number, seed = 0): Promise<void> {
  for (let number = 0; number < count; number++) {
    await catalogue.ingest((await signedRelease({ name: `package-${number}` }, seed)).records)
  }
}

async function letTimePass(until: Promise<unknown>): Promise<void> {
  let ended = false
  const end = (): void => {
    ended = true
  }
  until.then(end, end)
  while (!ended) {
    await clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a synchronisation', () => {
  it('of equal catalogues is one round trip', async () => {
    await fill(local, 3)
    await fill(remote, 3)
    const equal = peer()
    expect(await sync(equal)).toMatchObject({ received: 0, refused: 0, equal: true })
    expect(equal.asked).toEqual(['catalogueSummary'])
  })

  it('gets all that is missing, owners before their releases', async () => {
    await fill(remote, 3, 1)
    await fill(remote, 3, 2)
    const other = peer()
    expect(await sync(other)).toMatchObject({ received: 8, refused: 0, equal: true })
    expect(other.asked).toEqual([
      'catalogueSummary',
      'recordIds owner',
      'records',
      'recordIds release',
      'records'
    ])
    expect(local.summary()).toEqual(remote.summary())
  })

  it('waits where it asks more than the peer answers in a second, and goes on from there', async () => {
    await fill(remote, 3)
    let refusals = 2
    const busy = peer({
      async recordIds(_, page) {
        if (page.kind === 'release' && refusals-- > 0) {
          throw new RegistryError('ERR_PEER_BUSY', 'not now', { retryable: true })
        }
        return remote.recordIds(page)
      }
    })
    const synchronised = sync(busy, { ...budget, maxMs: 600_000 })
    await letTimePass(synchronised)
    expect(await synchronised).toMatchObject({ received: 4, equal: true })
    expect(busy.asked.filter((one) => one === 'recordIds owner')).toHaveLength(1)
  })

  it('gives up on a peer that stays busy', async () => {
    await fill(remote, 3)
    const busy = peer({
      async records() {
        throw new RegistryError('ERR_PEER_BUSY', 'not now', { retryable: true })
      }
    })
    const synchronised = sync(busy, { ...budget, maxMs: 600_000 })
    await letTimePass(synchronised)
    await expect(synchronised).rejects.toMatchObject({ code: 'ERR_PEER_BUSY' })
    expect(busy.asked.filter((one) => one === 'records')).toHaveLength(31)
  })

  it('leaves alone what only this side has, and does not call the two equal', async () => {
    await fill(local, 2, 1)
    await fill(remote, 2, 2)
    expect(await sync(peer())).toMatchObject({ received: 3, equal: false })
    expect(local.counts().releases).toBe(4)
    expect(remote.counts().releases).toBe(2)
  })

  it('goes on until it has all, when fewer come than were asked for', async () => {
    await fill(remote, 20)
    const miserly = peer({
      records: async (_from, ids) => [remote.record(ids.at(-1) as RecordId) as Uint8Array]
    })
    expect(await sync(miserly)).toMatchObject({ received: 21, refused: 0, equal: true })
  })

  it('goes through many pages', async () => {
    await fill(remote, 10)
    const paged = peer({ recordIds: async (_from, page) => remote.recordIds({ ...page, limit: 3 }) })
    expect(await sync(paged)).toMatchObject({ received: 11, equal: true })
  })

  it('keeps what is good of a peer that also gives something bad', async () => {
    await fill(remote, 3)
    const bad = seededBytes('no record', 100)
    const badId = recordIdOf(bad)
    const mixed = peer({
      recordIds: async (_from, page) => {
        const { ids } = remote.recordIds(page)
        return { ids: page.kind === 'release' ? [badId, ...ids] : ids }
      },
      records: async (_from, ids) =>
        ids.map((id) => (id === badId ? bad : remote.record(id))).filter((record) => record !== undefined)
    })
    expect(await sync(mixed)).toMatchObject({ received: 4, refused: 1 })
  })

  it('counts a release as refused whose owner the peer does not give', async () => {
    await fill(remote, 2)
    const secretive = peer({
      recordIds: async (_from, page) => (page.kind === 'owner' ? { ids: [] } : remote.recordIds(page))
    })
    expect(await sync(secretive)).toMatchObject({ received: 0, refused: 2, equal: false })
  })

  it('ends with a peer that lists IDs without end', async () => {
    let page = 0
    const endless = peer({
      catalogueSummary: async () => ({ fingerprint: new Uint8Array(32), records: 1 }),
      recordIds: async () => {
        page++
        const ids = [recordIdOf(seededBytes(page))]
        return { ids, next: ids[0] as RecordId }
      }
    })
    await expect(sync(endless)).rejects.toMatchObject({
      code: 'ERR_SYNC_LIMIT',
      retryable: false,
      details: { limit: 'refused' }
    })
    expect(page).toBe(budget.maxRefused + 1)
  })

  it.each([
    ['the same page', () => remote.recordIds({ kind: 'owner', limit: 10 }).ids],
    ['empty pages', () => []]
  ])('ends with a peer that gives %s without end', async (_what, ids) => {
    await fill(remote, 1)
    const next = recordIdOf(seededBytes('next'))
    const endless = peer({ recordIds: async () => ({ ids: ids(), next }) })
    await expect(sync(endless)).rejects.toMatchObject({
      code: 'ERR_SYNC_LIMIT',
      retryable: false,
      details: { limit: 'ids' }
    })
  })

  it('ends with a peer that hands over what nobody asked for', async () => {
    await fill(remote, 1)
    const pushy = peer({
      records: async () => Array.from({ length: 20 }, (_, number) => seededBytes(number))
    })
    await expect(sync(pushy)).rejects.toMatchObject({ code: 'ERR_SYNC_LIMIT', details: { limit: 'refused' } })
  })

  it('ends when it has cost enough bytes, keeps what came, and may be taken up again', async () => {
    await fill(remote, 10)
    const one = peer({ records: async (_from, ids) => [remote.record(ids[0] as RecordId) as Uint8Array] })
    await expect(sync(one, { ...budget, maxBytes: 2000 })).rejects.toMatchObject({
      code: 'ERR_SYNC_LIMIT',
      retryable: true,
      details: { limit: 'bytes' }
    })
    expect(local.counts().releases).toBeGreaterThan(0)
    expect(await sync(peer())).toMatchObject({ equal: true })
  })

  it('ends when it has taken enough time', async () => {
    const slow = peer({
      catalogueSummary: (_from, options) =>
        new Promise((_resolve, reject) => {
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason))
        })
    })
    const ended = expect(sync(slow)).rejects.toMatchObject({
      code: 'ERR_SYNC_LIMIT',
      retryable: true,
      details: { limit: 'time' }
    })
    await clock.advance(budget.maxMs)
    await ended
    expect(clock.pending).toBe(0)
  })

  it('ends with the reason of its caller, and leaves no timer', async () => {
    const controller = new AbortController()
    const slow = peer({
      catalogueSummary: async (_from, options) => {
        controller.abort(new Error('enough'))
        options?.signal?.throwIfAborted()
        return remote.summary()
      }
    })
    const run = catalogueSync(budget)({ catalogue: local, protocol: slow, clock })
    await expect(run(peerId, { signal: controller.signal })).rejects.toThrow('enough')
    expect(clock.pending).toBe(0)
  })

  it('knows an owner by its inception alone', async () => {
    const owner = await seededOwner(5)
    await remote.ingest([owner.inception])
    expect(await sync(peer())).toMatchObject({ received: 1, equal: true })
  })
})
