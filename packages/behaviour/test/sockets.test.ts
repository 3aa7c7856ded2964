import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { manualClock } from '@registry/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { publish } from './fixtures.ts'
import { eventually, socketPeer, type TestPeer, untilReleases } from './peers.ts'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'behaviour-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

async function started(options: Parameters<typeof socketPeer>[0] = {}): Promise<TestPeer> {
  const peer = await socketPeer(options)
  await peer.behaviour.start()
  return peer
}

const untilConnected = (...peers: TestPeer[]): Promise<void> =>
  eventually(() => {
    for (const { behaviour } of peers) expect(behaviour.peers()).not.toEqual([])
  })

async function exchange(a: TestPeer, b: TestPeer): Promise<void> {
  await b.behaviour.connect(a.address())
  const { content } = await publish(a.store)
  a.behaviour.announce()
  await untilReleases(b, 1)
  await b.behaviour.settled()
  await b.behaviour.contentRouter.fetch(content)
  expect(b.store.blobs.has(content.cid)).toBe(true)
}

describe('over real sockets', () => {
  it('peers exchange records and contents by TCP and Noise', async () => {
    const [a, b] = await Promise.all([started(), started()])
    expect(a.address()).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3/)
    await exchange(a, b)
  })

  it('peers exchange records and contents by WebSocket', async () => {
    const network = { protocols: ['websocket' as const], listenAddresses: ['/ip4/127.0.0.1/tcp/0/ws'] }
    const [a, b] = await Promise.all([started({ init: { network } }), started({ init: { network } })])
    expect(a.address()).toContain('/ws/')
    await exchange(a, b)
  })

  it('peers exchange records and contents by QUIC, where it is switched on', async ({ skip }) => {
    const native = await import('@chainsafe/libp2p-quic').then(
      () => true,
      () => false
    )
    skip(!native, 'QUIC has no native binary for this platform')
    const network = { protocols: ['quic' as const], listenAddresses: ['/ip4/127.0.0.1/udp/0/quic-v1'] }
    const [a, b] = await Promise.all([started({ init: { network } }), started({ init: { network } })])
    expect(a.address()).toContain('/quic-v1/')
    await exchange(a, b)
  })

  it('a peer that announces an address tells that one', async () => {
    const address = '/dns4/peer.example/tcp/4001'
    const a = await started({
      init: { network: { listenAddresses: ['/ip4/127.0.0.1/tcp/0'], announceAddresses: [address] } }
    })
    expect(a.behaviour.addresses()).toEqual([`${address}/p2p/${a.behaviour.peerId}`])
  })
})

describe('a start', () => {
  it('on a port in use fails, names the address, leaves nothing behind, and can be repeated', async () => {
    const a = await started()
    const listenAddress = a.address().replace(/\/p2p\/.*/, '')
    const b = await socketPeer({
      init: { network: { listenAddresses: [listenAddress] }, datastorePath: join(await folder(), 'libp2p') }
    })
    await expect(b.behaviour.start()).rejects.toMatchObject({
      code: 'ERR_PORT_IN_USE',
      details: { address: listenAddress }
    })
    expect(b.behaviour.addresses()).toEqual([])
    await a.behaviour.stop()
    await b.behaviour.start()
    expect(b.address()).toContain(listenAddress)
  })

  it.each([
    ['no multiaddr', { listenAddresses: ['localhost:4001'] }],
    ['of a transport that is not switched on', { listenAddresses: ['/ip4/127.0.0.1/udp/0/quic-v1'] }],
    ['of no transport at all', { listenAddresses: ['/ip4/127.0.0.1/udp/4001'] }],
    ['not one of this machine', { listenAddresses: ['/ip4/192.0.2.1/tcp/0'] }],
    ['no multiaddr to announce', { announceAddresses: ['peer.example'] }]
  ])('with an address that is %s fails', async (_what, network) => {
    const a = await socketPeer({ init: { network } })
    await expect(a.behaviour.start()).rejects.toMatchObject({ code: 'ERR_INVALID_ADDRESS' })
  })

  it.each(['localhost', '/ip4/127.0.0.1/tcp/4001', { peerId: 'nobody', address: '/ip4/127.0.0.1/tcp/4001' }])(
    'with the bootstrap node %j fails',
    async (node) => {
      const a = await socketPeer({ init: { bootstrap: { nodes: [node] } } })
      await expect(a.behaviour.start()).rejects.toMatchObject({ code: 'ERR_INVALID_ADDRESS' })
    }
  )

  it('in a database that another peer uses fails', async () => {
    const datastorePath = join(await folder(), 'libp2p')
    await started({ init: { datastorePath } })
    const b = await socketPeer({ init: { datastorePath } })
    await expect(b.behaviour.start()).rejects.toMatchObject({
      code: 'ERR_PEER_FILE',
      details: { path: datastorePath }
    })
  })
})

describe('connecting', () => {
  it.each(['localhost', '/ip4/127.0.0.1', '/ip4/127.0.0.1/udp/1/quic-v1'])(
    'to %s is an invalid address',
    async (address) => {
      const a = await started()
      await expect(a.behaviour.connect(address)).rejects.toMatchObject({ code: 'ERR_INVALID_ADDRESS' })
    }
  )

  it('to itself is an invalid address', async () => {
    const a = await started()
    await expect(a.behaviour.connect(a.address())).rejects.toMatchObject({ code: 'ERR_INVALID_ADDRESS' })
  })

  it('to where nobody listens is a peer that cannot be reached', async () => {
    const [a, b] = await Promise.all([started(), started()])
    const address = b.address()
    await b.behaviour.stop()
    await expect(a.behaviour.connect(address)).rejects.toMatchObject({
      code: 'ERR_PEER_UNREACHABLE',
      retryable: true
    })
  })

  it('needs no peer ID in the address', async () => {
    const [a, b] = await Promise.all([started(), started()])
    const { peerId } = await a.behaviour.connect(b.address().replace(/\/p2p\/.*/, ''))
    expect(peerId).toBe(b.behaviour.peerId)
  })

  it('ends with the reason of its caller', async () => {
    const [a, b] = await Promise.all([started(), started()])
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(a.behaviour.connect(b.address(), { signal })).rejects.toThrow('enough')
  })

  it('is not done within the time that is given', async () => {
    const clock = manualClock()
    const a = await started({ clock, init: { network: { connectionTimeoutMs: 1000 } } })
    // Reserved for documentation: nobody answers there, not even with a refusal.
    const connected = expect(a.behaviour.connect('/ip4/192.0.2.1/tcp/4001')).rejects.toMatchObject({
      retryable: true
    })
    await clock.advance(1000)
    await connected
  })
})

describe('a peer that was away', () => {
  it('has its ID and its address book when it comes back, and finds its peers without bootstrap', async () => {
    const datastorePath = join(await folder(), 'libp2p')
    const options = {
      privateKey: await generateKeyPair('Ed25519'),
      init: { network: { minPeers: 1 }, datastorePath }
    }
    const [a, b] = await Promise.all([started(), started(options)])
    await b.behaviour.connect(a.address())
    await b.behaviour.settled()
    await b.behaviour.stop()
    await eventually(() => expect(a.behaviour.peers()).toEqual([]))

    const again = await started(options)
    expect(again.behaviour.peerId).toBe(b.behaviour.peerId)
    expect(await again.behaviour.knownPeers()).toMatchObject([{ peerId: a.behaviour.peerId }])
    await untilConnected(again, a)
  })

  it('is found again by those who bootstrap from it', async () => {
    const clock = manualClock()
    const privateKey = await generateKeyPair('Ed25519')
    const a = await started({ privateKey })
    const address = a.address()
    const b = await started({
      clock,
      init: { network: { minPeers: 1 }, bootstrap: { nodes: [address] } }
    })
    await untilConnected(a, b)
    await a.behaviour.stop()
    await eventually(() => expect(b.behaviour.peers()).toEqual([]))
    await clock.advance(30_000)

    const listenAddresses = [address.replace(/\/p2p\/.*/, '')]
    const back = await started({ privateKey, init: { network: { listenAddresses } } })
    // A dial takes real time: the clock goes on in steps that it can be done in.
    await eventually(async () => {
      await clock.advance(20_000)
      expect(back.behaviour.peers()).not.toEqual([])
    })
  })
})
