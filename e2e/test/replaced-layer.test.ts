import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { controlClient, readControlFile } from '@registry/control'
import { startNode } from '@registry/node'
import type { StoreFactory } from '@registry/registry'
import { manualClock, memoryStore, registryStoreContract } from '@registry/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { untilReleases } from '../src/network.ts'

/** A store of one's own: nothing of it touches the disk. */
const forgetfulStore: StoreFactory = ({ quotaBytes }) =>
  memoryStore(quotaBytes === undefined ? {} : { quotaBytes })

registryStoreContract({
  name: 'a store of one’s own',
  create: async (options) => {
    const clock = manualClock()
    const store = memoryStore(options)({ clock })
    await store.start()
    return {
      store,
      clock,
      damageBlock: async (cid) => store.damageBlock(cid),
      [Symbol.asyncDispose]: () => store.stop()
    }
  }
})

describe('a peer with a store of one’s own', () => {
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'registry-replaced-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('publishes, serves and fetches among peers that have the usual one', { timeout: 60_000 }, async () => {
    const start = (name: string, bootstrap: readonly string[], store?: StoreFactory) =>
      startNode(
        {
          dataDir: join(folder, name),
          env: {},
          flags: [
            { path: 'network.name', flag: '--network', value: `replaced-${process.pid}` },
            { path: 'network.listenAddresses', flag: '--listen', value: ['/ip4/127.0.0.1/tcp/0'] },
            { path: 'bootstrap.nodes', flag: '--bootstrap', value: [...bootstrap] },
            { path: 'bootstrap.mdns', flag: '--no-mdns', value: false },
            { path: 'http.listen', flag: '--http', value: '127.0.0.1:0' }
          ]
        },
        store === undefined ? {} : { store }
      )
    const usual = await start('usual', [])
    const own = await start('own', usual.addresses, forgetfulStore)
    try {
      const files = { 'package.json': JSON.stringify({ name: 'from-memory', version: '1.0.0' }) }
      const receipt = await own.registry.publish({ kind: 'files', files })
      await untilReleases(usual.registry, 1)

      const { url, token } = await readControlFile(usual.dataDir)
      const fetched = await controlClient({ url, token }).get('from-memory')
      expect(fetched?.package).toMatchObject({ cid: receipt.cid, owner: receipt.owner })
      expect(Buffer.concat(await Array.fromAsync(fetched?.content() ?? [])).length).toBe(
        fetched?.package.size
      )
    } finally {
      await own.stop()
      await usual.stop()
    }
  })
})
