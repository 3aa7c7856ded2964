// The serving side of the exchange benchmark, as a process: our protocol and raw ones on one node. Started by exchange.ts.
import { identify } from '@libp2p/identify'
import { packageProtocol } from '@registry/protocol'
import { registryStore } from '@registry/store'
import { refusingHandlers } from '@registry/testing'
import { systemClock } from '@registry/timing'
import type { PackageProtocolHandlers } from '@registry/types'
import type { ExchangeInit, ExchangeReady } from './exchange.ts'
import { randomBytes, seededRandom } from './random.ts'
import { rawNode } from './raw-node.ts'
import { serveRaw } from './raw-protocols.ts'
import { syntheticOwner, syntheticPackages, syntheticRecord } from './synthetic.ts'

const init: ExchangeInit = JSON.parse(process.argv[2] ?? '')
const clock = systemClock()
const content = randomBytes(seededRandom(4), init.contentBytes)
const store = registryStore({ dataDir: init.dataDir })({ clock })
await store.start()
const stored = await store.blobs.add(whole(content))

const owner = await syntheticOwner(1)
const [asked] = syntheticPackages(1, 4)
if (asked === undefined) throw new Error('no package to serve')
const envelopes = [owner.inception, await syntheticRecord(owner, asked, new Uint8Array(1))]

const handlers: PackageProtocolHandlers = {
  ...refusingHandlers,
  getPackage: async () => envelopes,
  block: (_, cid) => store.blobs.block(cid)
}
const node = await rawNode({
  identify: identify(),
  registry: ({ registrar, connectionManager }) =>
    packageProtocol({ network: init.network })({ registrar, connectionManager, handlers, clock })
})
// As many bytes as the envelopes have; what frames them differs by some ten.
await serveRaw(node, { answer: Buffer.concat(envelopes), content })

process.on('disconnect', () => process.exit())
const ready: ExchangeReady = {
  kind: 'ready',
  address: String(node.getMultiaddrs()[0]),
  content: stored,
  owner: owner.id,
  name: asked.name
}
process.send?.(ready)

async function* whole(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}
