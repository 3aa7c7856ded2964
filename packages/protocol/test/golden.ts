import { makeRelease, seededBytes, seededOwnerId } from '@registry/testing'
import { Query, type RecordId } from '@registry/types'
import { ANNOUNCE_HOLDINGS, BLOCK, HOLDINGS } from '../src/content.ts'
import { frameLength } from '../src/frame-decoder.ts'
import { GET_PACKAGE, PUBLISH_PACKAGE, SEARCH_PACKAGES } from '../src/lookup.ts'
import { encodeMessage } from '../src/message.ts'
import type { Method } from '../src/method.ts'
import { CATALOGUE_SUMMARY, RECORD_IDS, RECORDS } from '../src/sync.ts'

/** The exchanges that the documents of `docs/protocol` write down in hex, as this implementation encodes them. */

export interface Example {
  /** As after the fence: ```` ```hex title ````. */
  title: string
  /** The bytes on the stream, length included. */
  frame: Uint8Array
}

const release = makeRelease()
const record = seededOwnerId(1) as string as RecordId
const other = seededOwnerId(2) as string as RecordId
/** Stand for envelopes; nothing here looks into them. */
const [inception, envelope] = [seededBytes('inception', 8), seededBytes('release', 8)]

export const EXAMPLES: Readonly<Record<'framing' | 'lookup' | 'sync' | 'content', Example[]>> = {
  framing: [
    { title: 'busy', frame: framed({ id: 1, status: 'busy' }) },
    { title: 'not-found', frame: framed({ id: 1, status: 'not-found' }) },
    { title: 'error', frame: framed({ id: 1, status: 'error', error: 'ERR_STORAGE' }) }
  ],
  lookup: [
    ...exchange(GET_PACKAGE, release, [inception, envelope]),
    ...exchange(SEARCH_PACKAGES, new Query(['tea'], { tags: ['hot'], limit: 5 }), [
      { envelopes: [inception, envelope], score: 1.5 }
    ]),
    ...exchange(PUBLISH_PACKAGE, [inception, envelope], ['known', 'accepted'])
  ],
  sync: [
    ...exchange(CATALOGUE_SUMMARY, null, { fingerprint: seededBytes('fingerprint'), records: 1000 }),
    ...exchange(RECORD_IDS, { kind: 'release', after: other, limit: 1 }, { ids: [record], next: record }),
    ...exchange(RECORDS, [record], [envelope])
  ],
  content: [
    ...exchange(BLOCK, release.content, seededBytes('example@1.0.0', 64)),
    ...exchange(HOLDINGS, { limit: 1 }, { cids: [release.content], next: release.content }),
    ...exchange(ANNOUNCE_HOLDINGS, [release.content], null)
  ]
}

function exchange<Params, Result>(method: Method<Params, Result>, params: Params, result: Result): Example[] {
  return [
    {
      title: `${method.name} request`,
      frame: framed({ id: 1, method: method.name, params: method.encodeParams(params) })
    },
    {
      title: `${method.name} response`,
      frame: framed({ id: 1, status: 'ok', result: method.encodeResult(result, params) })
    }
  ]
}

function framed(message: Parameters<typeof encodeMessage>[0]): Uint8Array {
  const payload = encodeMessage(message)
  return new Uint8Array(Buffer.concat([frameLength(payload.length), payload]))
}
