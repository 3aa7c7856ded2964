import { signRelease } from '@registry/identity'
import type { BlobInfo, MarketplaceBehaviour, PeerIdText, RegistryStore } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { makeRelease, seededBytes, seededOwner, seededPeerId } from '../seeded.ts'
import { type Contract, collect, rejection, streamOf } from './contract.ts'

/**
 * A started peer of a network that holds no others but those of the test. It finds nobody by itself and connects to
 * nobody unless told. Its clock is the machine's, for there is a real node beneath.
 */
export interface MarketplaceBehaviourSubject extends AsyncDisposable {
  behaviour: MarketplaceBehaviour
  /** The store it was given. */
  store: RegistryStore
}

/** What every `MarketplaceBehaviour` does. */
export function marketplaceBehaviourContract({ name, create }: Contract<MarketplaceBehaviourSubject>): void {
  describe(`marketplace behaviour contract: ${name}`, () => {
    it('can be dialled under each of its addresses', async () => {
      await using alice = await create()
      await using bob = await create()
      const addresses = alice.behaviour.addresses()
      expect(addresses).not.toEqual([])
      for (const address of addresses) {
        expect(address.endsWith(`/p2p/${alice.behaviour.peerId}`)).toBe(true)
        const peer = await bob.behaviour.connect(address)
        expect(peer).toMatchObject({ peerId: alice.behaviour.peerId, direction: 'outbound' })
      }
      expect(idsOf(bob.behaviour)).toEqual([alice.behaviour.peerId])
      expect((await bob.behaviour.stats()).connectedPeers).toBe(1)
      expect((await bob.behaviour.knownPeers()).map(({ peerId }) => peerId)).toContain(alice.behaviour.peerId)
    })

    it('refuses what is no address, and says when nobody answers', async () => {
      await using alice = await create()
      const { behaviour } = alice
      for (const address of ['', 'nonsense', 'http://example.org']) {
        expect(await rejection(behaviour.connect(address))).toMatchObject({ code: 'ERR_INVALID_ADDRESS' })
        expect(await rejection(behaviour.addBootstrapNode(address))).toMatchObject({
          code: 'ERR_INVALID_ADDRESS'
        })
      }
      const nobody = `/memory/nobody/p2p/${seededPeerId('nobody')}`
      expect(await rejection(behaviour.connect(nobody))).toMatchObject({
        code: expect.stringMatching(/^ERR_(PEER_UNREACHABLE|CONNECTION_TIMEOUT)$/),
        retryable: true
      })
    })

    it('ends a dial by its signal', async () => {
      await using alice = await create()
      const reason = new Error('no longer wanted')
      const dial = alice.behaviour.connect(`/memory/nobody/p2p/${seededPeerId('nobody')}`, {
        signal: AbortSignal.abort(reason)
      })
      expect(await rejection(dial)).toBe(reason)
    })

    it('disconnects', async () => {
      await using alice = await create()
      await using bob = await create()
      await connect(bob, alice)
      expect(await bob.behaviour.disconnect(alice.behaviour.peerId)).toBe(true)
      expect(idsOf(bob.behaviour)).toEqual([])
      expect(await bob.behaviour.disconnect(alice.behaviour.peerId)).toBe(false)
    })

    it('makes the catalogues of two peers that meet equal', async () => {
      await using alice = await create()
      await using bob = await create()
      await publish(alice.store, 'from-alice', 'alice')
      await publish(bob.store, 'from-bob', 'bob')
      const both = [releases(alice.store, 2), releases(bob.store, 2)]
      await connect(bob, alice)
      await Promise.all(both)
      await Promise.all([alice, bob].map(({ behaviour }) => behaviour.settled()))
      expect(alice.store.catalogue.summary()).toEqual(bob.store.catalogue.summary())
    })

    it('compares catalogues when asked to, and says what came', async () => {
      await using alice = await create()
      await using bob = await create()
      await connect(bob, alice)
      await Promise.all([alice, bob].map(({ behaviour }) => behaviour.settled()))
      await publish(alice.store, 'later', 'alice')
      const [report, ...others] = await bob.behaviour.sync(alice.behaviour.peerId)
      expect(others).toEqual([])
      expect(report).toMatchObject({ peerId: alice.behaviour.peerId, refused: 0 })
      expect(bob.store.catalogue.counts().releases).toBe(1)
      expect(bob.behaviour.peers()).toMatchObject([{ peerId: alice.behaviour.peerId, inSync: true }])
      expect((await bob.behaviour.stats()).lastSyncedAtMs).not.toBeNull()
      const [again] = await bob.behaviour.sync()
      expect(again).toMatchObject({ received: 0, refused: 0 })
    })

    it('announces what was published to peers far and near', async () => {
      await using alice = await create()
      await using bob = await create()
      await using carol = await create()
      await connect(bob, alice)
      await connect(carol, bob)
      await Promise.all([alice, bob, carol].map(({ behaviour }) => behaviour.settled()))
      const heard = [releases(bob.store, 1), releases(carol.store, 1)]
      await publish(alice.store, 'news', 'alice')
      alice.behaviour.announce()
      await Promise.all(heard)
      expect(carol.store.catalogue.summary()).toEqual(alice.store.catalogue.summary())
    })

    it('fetches the content of a release from the peer that published it', async () => {
      await using alice = await create()
      await using bob = await create()
      const bytes = seededBytes('content', 3_000_000)
      const content = await publish(alice.store, 'large', 'alice', bytes)
      const heard = releases(bob.store, 1)
      await connect(bob, alice)
      await heard
      bob.behaviour.contentRouter.addProvider(content.cid, alice.behaviour.peerId)
      expect(await bob.behaviour.contentRouter.fetch(content)).toEqual(content)
      expect(Buffer.compare(await collect(bob.store.blobs.read(content.cid)), bytes)).toBe(0)
    })

    it('counts what it has', async () => {
      await using alice = await create()
      await publish(alice.store, 'one', 'alice')
      await publish(alice.store, 'two', 'alice')
      expect(await alice.behaviour.stats()).toMatchObject({
        connectedPeers: 0,
        packages: 2,
        releases: 2,
        cachedPackages: 2,
        pendingAnnouncements: 2,
        lastSyncedAtMs: null
      })
    })

    it('can be started and stopped twice, and is the same peer after a restart', async () => {
      await using alice = await create()
      const { behaviour } = alice
      const { peerId } = behaviour
      await behaviour.start()
      await behaviour.stop()
      await behaviour.stop()
      expect(behaviour.addresses()).toEqual([])
      expect(behaviour.peers()).toEqual([])
      expect(await rejection(behaviour.sync(peerId))).toBeInstanceOf(Error)
      await behaviour.start()
      expect(behaviour.peerId).toBe(peerId)
      expect(behaviour.addresses()).not.toEqual([])
    })
  })
}

async function connect(from: MarketplaceBehaviourSubject, to: MarketplaceBehaviourSubject): Promise<void> {
  const [address] = to.behaviour.addresses()
  if (address === undefined) throw new Error('The peer has no address')
  await from.behaviour.connect(address)
}

function idsOf(behaviour: MarketplaceBehaviour): PeerIdText[] {
  return behaviour.peers().map(({ peerId }) => peerId)
}

/** Resolves once a store has so many releases. */
function releases({ catalogue }: RegistryStore, count: number): Promise<void> {
  return new Promise((resolve) => {
    const undo = catalogue.onChange(() => {
      if (catalogue.counts().releases < count) return
      undo()
      resolve()
    })
  })
}

async function publish(
  store: RegistryStore,
  name: string,
  seed: string,
  bytes: Uint8Array = seededBytes(name, 1000)
): Promise<BlobInfo> {
  const owner = await seededOwner(seed)
  const content = await store.blobs.add(streamOf(bytes))
  const release = makeRelease({
    name,
    owner: owner.id,
    content: content.cid,
    size: content.size,
    integrity: content.integrity
  })
  await store.publish([owner.inception, await signRelease(release, owner.signer)])
  return content
}
