import { expect, it } from 'vitest'
import * as protocol from '../src/index.ts'

it('exports what it promises and nothing else', () => {
  expect(Object.keys(protocol).sort()).toMatchInlineSnapshot(`
    [
      "MAX_ANNOUNCED",
      "MAX_ANSWERED_BYTES",
      "MAX_GIVEN",
      "MAX_GIVEN_BYTES",
      "MAX_HOLDINGS",
      "MAX_NAME_RECORDS",
      "MAX_PROBES_BYTES",
      "MAX_RECORD_IDS",
      "MAX_SEARCH_HITS",
      "MAX_SYMBOLS",
      "MAX_WANTED",
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
