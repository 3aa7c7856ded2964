import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Identify, identify } from '@libp2p/identify'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { contentRouter } from '@registry/content-routing'
import { peerIdText } from '@registry/discovery'
import { packageProtocol } from '@registry/protocol'
import { registryStore } from '@registry/store'
import { refusingHandlers } from '@registry/testing'
import { systemClock } from '@registry/timing'
import {
  type BlobInfo,
  type OwnerId,
  type PackageProtocol,
  type PeerIdText,
  parsePackageName,
  parseVersion,
  type ReleaseKey
} from '@registry/types'
import type { Benchmark, Report, RunOptions } from './benchmark.ts'
import { startHelper } from './child.ts'
import { rawNode } from './raw-node.ts'
import { askOnce, openPipeline, pull } from './raw-protocols.ts'
import { alternate, perSecond, timed } from './rounds.ts'

/** What the serving process is started with. */
export interface ExchangeInit {
  dataDir: string
  network: string
  contentBytes: number
}

/** What it says once it serves. */
export interface ExchangeReady {
  kind: 'ready'
  address: string
  content: BlobInfo
  owner: OwnerId
  name: string
}

const NETWORK = 'bench-exchange'
const AT_ONCE = 64
/** Below the 64 outbound streams that one protocol may have open on a connection. */
const STREAMS_AT_ONCE = 32
/** About the size of our encoded question. */
const REQUEST_BYTES = 128

export const exchange: Benchmark = {
  name: 'exchange',
  description: 'requests and a transfer between two processes, beside raw libp2p on the same connection',
  async run(report, options) {
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-exchange-'))
    const contentBytes = (options.quick ? 4 : 64) * 1024 * 1024
    const init: ExchangeInit = { dataDir: join(folder, 'server'), network: NETWORK, contentBytes }
    const server = startHelper<never, ExchangeReady>('exchange-peer.ts', init, isReady)
    try {
      report.progress('start the serving process')
      const ready = await server.next(isReady, options.signal)
      const node = await rawNode<{ identify: Identify; registry: PackageProtocol }>({
        identify: identify(),
        registry: ({ registrar, connectionManager }) =>
          packageProtocol({ network: NETWORK })({
            registrar,
            connectionManager,
            handlers: refusingHandlers,
            clock: systemClock()
          })
      })
      try {
        const connection = await node.dial(multiaddr(ready.address), { signal: options.signal })
        const protocol = node.services.registry
        await measureRequests({ connection, protocol, ready }, report, options)
        const own = peerIdText(node.peerId)
        await measureTransfer(
          { connection, protocol, ready, own, dataDir: join(folder, 'client') },
          report,
          options
        )
      } finally {
        await node.stop()
      }
    } finally {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

interface Exchange {
  connection: Connection
  protocol: PackageProtocol
  ready: ExchangeReady
}

/** A look-up whose answer is two signed records, against as many bytes without any meaning. */
async function measureRequests(
  { connection, protocol, ready }: Exchange,
  report: Report,
  { signal, quick }: RunOptions
): Promise<void> {
  const count = quick ? 200 : 5_000
  report.progress(`ask ${count} times a round on a warm connection`)
  const peerId = peerIdText(connection.remotePeer)
  const key: ReleaseKey = {
    owner: ready.owner,
    name: parsePackageName(ready.name),
    version: parseVersion('1.0.0')
  }
  const request = new Uint8Array(REQUEST_BYTES)
  const ask = async (): Promise<void> => {
    if ((await protocol.getPackage(peerId, key, { signal })) === undefined) throw new Error('no answer')
  }
  const pipeline = await openPipeline(connection)
  const rates = await alternate(
    quick ? 1 : 5,
    {
      ours: () => perSecond(count, () => inParallel(count, AT_ONCE, ask)),
      'raw-pipelined': () =>
        perSecond(count, () => pipeline.ask(request, { count, atOnce: AT_ONCE, signal })),
      'raw-stream-per-request': () => {
        // Slower by far: fewer make the round as long as the others.
        const fewer = Math.ceil(count / 10)
        return perSecond(fewer, () =>
          inParallel(fewer, STREAMS_AT_ONCE, () => askOnce(connection, request, signal))
        )
      }
    },
    signal
  )
  report.comparison('request-64-at-once', 'requests/s', rates)

  const oursMs: number[] = []
  const pipelinedMs: number[] = []
  const streamMs: number[] = []
  for (let index = 0; index < (quick ? 50 : 1_000); index++) {
    oursMs.push(await timed(ask))
    pipelinedMs.push(await timed(() => pipeline.ask(request, { count: 1, atOnce: 1, signal })))
    streamMs.push(await timed(() => askOnce(connection, request, signal)))
  }
  report.latencies('request-alone', 'ours', oursMs)
  report.latencies('request-alone', 'raw-pipelined', pipelinedMs)
  report.latencies('request-alone', 'raw-stream-per-request', streamMs)
  await pipeline.close()
}

/** A content fetched into an empty blob store: every block compared with its hash, all on disk at the end. */
async function measureTransfer(
  { connection, protocol, ready, own, dataDir }: Exchange & { own: PeerIdText; dataDir: string },
  report: Report,
  { signal, quick }: RunOptions
): Promise<void> {
  const { cid, size } = ready.content
  const mebibytes = size / 1024 ** 2
  report.progress(`transfer ${mebibytes} MiB a round`)
  const peerId = peerIdText(connection.remotePeer)
  const clock = systemClock()
  const store = registryStore({ dataDir })({ clock })
  const router = contentRouter({})({
    peerId: own,
    blobs: store.blobs,
    blocks: { block: (from, block, options) => protocol.block(from, block, options) },
    isConnected: () => true,
    clock
  })
  try {
    await store.start()
    await router.start()
    const rates = await alternate(
      quick ? 1 : 5,
      {
        ours: async () => {
          await store.blobs.delete(cid)
          router.addProvider(cid, peerId)
          return await perSecond(mebibytes, () => router.fetch(ready.content, { signal }))
        },
        raw: () =>
          perSecond(mebibytes, async () => {
            let received = 0
            for await (const chunk of pull(connection, signal)) received += chunk.length
            if (received !== size) throw new Error(`${received} of ${size} bytes came`)
          }),
        'raw-hashed-to-disk': () =>
          perSecond(mebibytes, async () => {
            const file = await open(join(dataDir, 'raw'), 'w')
            const hash = createHash('sha256')
            for await (const chunk of pull(connection, signal)) {
              hash.update(chunk)
              await file.write(chunk)
            }
            hash.digest()
            await file.datasync()
            await file.close()
          })
      },
      signal
    )
    report.comparison(`transfer-${mebibytes}mib`, 'MiB/s', rates)
  } finally {
    await router.stop()
    await store.stop()
  }
}

async function inParallel(count: number, atOnce: number, act: () => Promise<void>): Promise<void> {
  let left = count
  const work = async (): Promise<void> => {
    while (left-- > 0) await act()
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

function isReady(value: unknown): value is ExchangeReady {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'ready'
}
