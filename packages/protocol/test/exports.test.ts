import { expect, it } from 'vitest'
import * as protocol from '../src/index.ts'

it('exports what it promises and nothing else', () => {
  expect(Object.keys(protocol).sort()).toMatchInlineSnapshot(`
    [
      "MAX_ANNOUNCED",
      "MAX_HOLDINGS",
      "MAX_RECORD_IDS",
      "MAX_SEARCH_HITS",
      "NotRunningError",
      "PACKAGE_PROTOCOL_DEFAULTS",
      "PeerBusyError",
      "PeerUnreachableError",
      "ProtocolError",
      "RemoteError",
      "RequestTimeoutError",
      "TooManyRequestsError",
      "packageProtocol",
    ]
  `)
})
