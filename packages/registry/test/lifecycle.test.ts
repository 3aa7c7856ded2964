import { join } from 'node:path'
import { manualClock, memoryStore, seededOwner } from '@registry/testing'
import { describe, expect, it } from 'vitest'
import { createRegistry, type P2PRegistry } from '../src/index.ts'
import { LoneBehaviour, LoneDns, lonePeer } from './lone-peer.ts'
import { tempFolder } from './temp-folder.ts'

const source = { kind: 'files' as const, files: { 'package.json': '{"name":"a","version":"1.0.0"}' } }

function everyCall(registry: P2PRegistry): Array<() => unknown> {
  return [
    () => registry.search({}),
    () => registry.publish(source),
    () => registry.get('a'),
    () => registry.metadata('a'),
    () => registry.getVersion('a', '1.0.0'),
    () => registry.listVersions('a'),
    () => registry.exists('a'),
    () => registry.list(),
    () => registry.searchPage({}),
    () => registry.details('a'),
    () => registry.tag('a', 'beta', '1.0.0'),
    () => registry.deprecate('a', 'old'),
    () => registry.yank('a', 'broken'),
    () => registry.unpublish('a@1.0.0'),
    () => registry.readme('a', null),
    () => registry.attest('a', { claim: 'review', text: 'good' }),
    () => registry.exportCatalogue('/nowhere/file'),
    () => registry.importCatalogue('/nowhere/file'),
    () => registry.subscribe({ kind: 'all' })[Symbol.asyncIterator]().next(),
    () => registry.stats(),
    () => registry.status(),
    () => registry.addBootstrapNode('/memory/a/p2p/b'),
    () => registry.peers(),
    () => registry.knownPeers(),
    () => registry.connect('/memory/a'),
    () => registry.disconnect('a'),
    () => registry.sync()
  ]
}

describe('a registry', () => {
  it('answers nothing before its start and after its stop, and says that it may later', async () => {
    const clock = manualClock()
    const store = memoryStore()({ clock })
    const owner = await seededOwner(1)
    const dataDir = await tempFolder()
    const registry = createRegistry({ dataDir, network: 'test' })({
      open: async () => ({ store, behaviour: new LoneBehaviour(store), owner }),
      dns: new LoneDns(),
      clock
    })
    const refusesAll = async (): Promise<void> => {
      expect(registry.isRunning).toBe(false)
      for (const call of everyCall(registry)) {
        await expect((async () => call())()).rejects.toMatchObject({
          code: 'ERR_NOT_RUNNING',
          retryable: true
        })
      }
    }
    await refusesAll()
    expect(() => registry.peerId).toThrow('not running')
    await registry.start()
    await registry.publish(source)
    await registry.stop()
    await refusesAll()
    // Who it was is still known.
    expect(registry.owner).toBe(owner.id)
  })

  it('starts and stops once, however often it is told', async () => {
    const { registry, behaviour } = await lonePeer()
    await Promise.all([registry.start(), registry.start()])
    expect(behaviour.calls).toEqual(['start'])
    await Promise.all([registry.stop(), registry.stop(), registry.start(), registry.stop()])
    expect(behaviour.calls).toEqual(['start', 'stop', 'start', 'stop'])
    expect(registry.isRunning).toBe(false)
  })

  it('undoes a start that fails half-way, and can be started again', async () => {
    const clock = manualClock()
    const owner = await seededOwner(1)
    const calls: string[] = []
    let fails = true
    const registry = createRegistry({ dataDir: await tempFolder(), network: 'test' })({
      dns: new LoneDns(),
      clock,
      async open() {
        const store = memoryStore()({ clock })
        const behaviour = new LoneBehaviour(store)
        behaviour.failsToStart = fails
        store.start = async () => void calls.push('store started')
        store.stop = async () => void calls.push('store stopped')
        return { store, behaviour, owner }
      }
    })
    await expect(registry.start()).rejects.toMatchObject({ code: 'ERR_PORT_IN_USE' })
    expect(calls).toEqual(['store started', 'store stopped'])
    expect(registry.isRunning).toBe(false)
    fails = false
    await registry.start()
    expect(registry.isRunning).toBe(true)
    await registry.stop()
  })

  it('ends what still runs when it stops, and waits for that', async () => {
    const { registry, behaviour } = await lonePeer()
    behaviour.contentRouter.gate = new Promise(() => {})
    const connecting = registry.connect('/memory/far')
    const expectation = expect(connecting).rejects.toMatchObject({ code: 'ERR_NOT_RUNNING' })
    await registry.stop()
    await expectation
    expect(behaviour.calls).toEqual(['start', 'connect /memory/far', 'stop'])
  })

  it('reads no content after its stop', async () => {
    const { registry } = await lonePeer()
    await registry.publish(source)
    const got = await registry.get('a')
    await registry.stop()
    await expect(Array.fromAsync(got?.content() ?? [])).rejects.toMatchObject({ code: 'ERR_NOT_RUNNING' })
  })

  it('makes its data folder for its user alone', async () => {
    const { stat } = await import('node:fs/promises')
    const dataDir = join(await tempFolder(), 'deep', 'data')
    await lonePeer({ dataDir })
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
  })
})
