import { signRelease } from '@registry/identity'
import { type RunningNode, startNode } from '@registry/node'
import { inspectTarball, type StoreFactory } from '@registry/registry'
import { registryStore } from '@registry/store'
import { describeContent } from '@registry/testing'
import { type OwnerIdentity, parseRelease, type RegistryStore } from '@registry/types'

/** A peer of this process, on loopback by TCP, that signs and serves what an honest one would refuse. */
export interface HostilePeer extends AsyncDisposable {
  readonly node: RunningNode
  /**
   * Signs a release of these bytes and tells everybody. What it says of them is what `clean` has, which an honest check of it
   * would find, and then `signed`.
   */
  publish(
    owner: OwnerIdentity,
    bytes: Uint8Array,
    claims: { clean: Uint8Array; signed?: Record<string, unknown> }
  ): Promise<void>
  /** From now on it gives other bytes than are asked for, after so many blocks that are right; null to be honest again. */
  lieAfter(blocks: number | null): void
  /** Blocks that it gave wrong. */
  readonly lies: number
}

export async function startHostilePeer(dataDir: string, network: string): Promise<HostilePeer> {
  let store: RegistryStore | undefined
  let honestBlocks: number | null = null
  let lies = 0
  const lying: StoreFactory = (init) => (components) => {
    const real = registryStore(init)(components)
    store = real
    const blobs = overridden(real.blobs, {
      async block(cid) {
        const block = await real.blobs.block(cid)
        if (block === undefined || honestBlocks === null) return block
        honestBlocks--
        if (honestBlocks >= 0) return block
        lies++
        return block.map((byte, index) => (index === block.length >> 1 ? byte ^ 1 : byte))
      }
    })
    return overridden(real, { blobs })
  }
  const node = await startNode(
    {
      dataDir,
      env: {},
      flags: [
        { path: 'network.name', flag: '--network', value: network },
        { path: 'network.listenAddresses', flag: '--listen', value: ['/ip4/127.0.0.1/tcp/0'] },
        { path: 'bootstrap.mdns', flag: '--no-mdns', value: false },
        { path: 'http.listen', flag: '--http', value: '127.0.0.1:0' }
      ]
    },
    { store: lying }
  )
  return {
    node,
    async publish(owner, bytes, { clean, signed }) {
      if (store === undefined) throw new Error('the peer has made its store')
      const content = describeContent(bytes)
      await store.blobs.add(
        (async function* () {
          yield bytes
        })()
      )
      const release = parseRelease({
        ...(await inspectTarball([clean])),
        ...signed,
        owner: owner.id,
        content: content.cid,
        size: content.size,
        integrity: content.integrity,
        claimedAtMs: Date.now()
      })
      await store.publish([owner.inception, await signRelease(release, owner.signer)])
    },
    lieAfter(blocks) {
      honestBlocks = blocks
    },
    get lies() {
      return lies
    },
    [Symbol.asyncDispose]: () => node.stop()
  }
}

/** The same object, with these of its members in place of its own. */
function overridden<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      const source: object = Object.hasOwn(members, key) ? members : target
      const value: unknown = Reflect.get(source, key, source)
      return typeof value === 'function' ? value.bind(source) : value
    }
  })
}
