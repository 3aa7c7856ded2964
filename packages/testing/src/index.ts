/**
 * @packageDocumentation
 *
 * What tests of the registry stand on: a clock that only they move, keys and bytes that are the same in every run, a
 * store and a transport in memory, the contract suite of every layer, and readers of real packages. Nothing here is for
 * production.
 */

export { type ContentBlocks, contentBlocks, describeContent } from './content.ts'
export { type BlobStoreSubject, blobStoreContract } from './contracts/blob-store-contract.ts'
export { type CatalogueSubject, catalogueContract } from './contracts/catalogue-contract.ts'
export {
  type ContentRouterOptions,
  contentRouterContract
} from './contracts/content-router-contract.ts'
export type { Contract, StoreOptions, StoreSubject } from './contracts/contract.ts'
export {
  type MarketplaceBehaviourSubject,
  marketplaceBehaviourContract
} from './contracts/marketplace-behaviour-contract.ts'
export { outboxContract } from './contracts/outbox-contract.ts'
export {
  type PackageProtocolOptions,
  type PackageProtocolSubject,
  packageProtocolContract
} from './contracts/package-protocol-contract.ts'
export {
  type PeerDiscoveryOptions,
  type PeerDiscoverySubject,
  peerDiscoveryContract
} from './contracts/peer-discovery-contract.ts'
export { type RegistrySubject, registryContract } from './contracts/registry-contract.ts'
export { registryStoreContract } from './contracts/registry-store-contract.ts'
export {
  type CorpusPack,
  type CorpusPart,
  corpusOrSkip,
  corpusPath,
  readCorpusPacks,
  readCorpusReleases
} from './corpus.ts'
export { type ManualClock, manualClock } from './manual-clock.ts'
export {
  type MemoryRegistryStore,
  type MemoryStoreComponents,
  type MemoryStoreInit,
  memoryStore
} from './memory-store.ts'
export { type MemoryTransportOptions, memoryTransport } from './memory-transport.ts'
export { refusingHandlers } from './refusing-handlers.ts'
export {
  makeAttestation,
  makeRelease,
  makeStatement,
  type ReleaseInput,
  seededBytes,
  seededOwner,
  seededOwnerId,
  seededPeerId
} from './seeded.ts'
export {
  type SimulatedHost,
  type SimulatedPeer,
  type Simulator,
  type SimulatorInit,
  simulator
} from './simulator.ts'
