import { expect, it } from 'vitest'
import * as testing from '../src/index.ts'

it('exports what it promises and nothing else', () => {
  expect(Object.keys(testing).sort()).toMatchInlineSnapshot(`
    [
      "blobStoreContract",
      "catalogueContract",
      "contentBlocks",
      "contentRouterContract",
      "corpusOrSkip",
      "corpusPath",
      "describeContent",
      "makeAttestation",
      "makeRelease",
      "makeStatement",
      "manualClock",
      "marketplaceBehaviourContract",
      "memoryStore",
      "memoryTransport",
      "outboxContract",
      "packageProtocolContract",
      "peerDiscoveryContract",
      "readCorpusPacks",
      "readCorpusReleases",
      "refusingHandlers",
      "registryContract",
      "registryStoreContract",
      "seededBytes",
      "seededOwner",
      "seededOwnerId",
      "seededPeerId",
      "simulator",
    ]
  `)
})
