import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { marketplaceBehaviour } from '@registry/behaviour'
import { type P2PRegistry, P2PRegistryBuilder } from '@registry/registry'
import { memoryTransport } from '@registry/testing'

/** Peers of one network within this process: real stores on disk and real libp2p nodes over the memory transport. */
export interface TestNetwork extends AsyncDisposable {
  readonly peers: readonly P2PRegistry[]
  /** A peer in the folder of this name, an earlier one's perhaps (`peer-0` and on); knows the first of the network. */
  start(name: string): Promise<P2PRegistry>
}

let networks = 0

export async function testNetwork(size: number): Promise<TestNetwork> {
  networks += 1
  const folder = await mkdtemp(join(tmpdir(), 'registry-network-'))
  const name = `e2e-${process.pid}-${networks}`
  const peers: P2PRegistry[] = []
  const start = async (own: string): Promise<P2PRegistry> => {
    const peer = new P2PRegistryBuilder()
      .withDataDir(join(folder, own))
      .withNetwork(name)
      .withConfig({ bootstrap: { mdns: false } })
      .withBootstrapNodes(await firstAddresses(peers))
      .withBehaviour((init) => (components) => {
        return marketplaceBehaviour(init)({ ...components, libp2p: memoryTransport() })
      })
      .build()
    peers.push(peer)
    await peer.start()
    return peer
  }
  const network: TestNetwork = {
    peers,
    start,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(peers.map((peer) => peer.stop()))
      await rm(folder, { recursive: true, force: true })
    }
  }
  try {
    await start('peer-0')
    for (let index = 1; index < size; index++) await start(`peer-${index}`)
  } catch (error) {
    await network[Symbol.asyncDispose]()
    throw error
  }
  return network
}

async function firstAddresses([first]: readonly P2PRegistry[]): Promise<string[]> {
  return first === undefined || !first.isRunning ? [] : (await first.status()).addresses
}

/** Resolves once `peer` has so many releases; news of them is what it waits for. */
export async function untilReleases(peer: P2PRegistry, count: number): Promise<void> {
  const ended = new AbortController()
  const news = peer.subscribe({ kind: 'all' }, { signal: ended.signal })[Symbol.asyncIterator]()
  try {
    let next = news.next()
    while ((await peer.status()).releases < count) {
      await next
      next = news.next()
    }
    next.catch(() => undefined)
  } finally {
    ended.abort()
  }
}
