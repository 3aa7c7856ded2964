import { encode } from '@ipld/dag-cbor'
import { seededBytes } from '@registry/testing'
import { PROTOCOL_LIMITS } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeGossipMessage, encodeGossipMessage, GOSSIP_LIMITS, gossipMessageId } from '../src/index.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('a gossip message', () => {
  it('is these bytes', () => {
    const records = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)]
    const golden = 'a1677265636f7264738243010203420405'
    expect(hex(encodeGossipMessage(records))).toBe(golden)
    expect(decodeGossipMessage(Buffer.from(golden, 'hex')).map(hex)).toEqual(records.map(hex))
    expect(hex(gossipMessageId(Buffer.from(golden, 'hex')))).toBe(
      '362fe5880c54f76db34567cb18d5fc312674b63a7c101d32831071aeb0949666'
    )
  })

  it('comes back as it was', () => {
    const record = fc.uint8Array({ maxLength: 64 })
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: GOSSIP_LIMITS.maxRecords }), (records) => {
        expect(decodeGossipMessage(encodeGossipMessage(records)).map(hex)).toEqual(records.map(hex))
      })
    )
  })

  it('has room for an owner and two releases at their largest', () => {
    const largest = seededBytes('largest', PROTOCOL_LIMITS.maxRecordBytes)
    expect(decodeGossipMessage(encodeGossipMessage([largest, largest, largest]))).toHaveLength(3)
  })

  it.each([
    ['nothing', new Uint8Array()],
    ['no DAG-CBOR', Uint8Array.of(0xff, 0, 0)],
    ['no map', encode([Uint8Array.of(1)])],
    ['no records', encode({ records: [] })],
    ['a record that is no bytes', encode({ records: ['text'] })],
    ['a field that is not known', encode({ records: [Uint8Array.of(1)], more: 1 })],
    ['an encoding that is not the shortest', Buffer.from('a1677265636f726473815801ff', 'hex')],
    ['too many records', encode({ records: Array(GOSSIP_LIMITS.maxRecords + 1).fill(Uint8Array.of(1)) })],
    ['a record too large', encode({ records: [new Uint8Array(PROTOCOL_LIMITS.maxRecordBytes + 1)] })],
    ['more bytes than a message may have', new Uint8Array(GOSSIP_LIMITS.maxMessageBytes + 1)]
  ])('is refused with %s', (_what, bytes) => {
    expect(() => decodeGossipMessage(bytes)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_VALUE' }))
  })

  it('is not made when it would be too large to be published', () => {
    const record = new Uint8Array(PROTOCOL_LIMITS.maxRecordBytes)
    expect(() => encodeGossipMessage([record, record, record, record])).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_VALUE' })
    )
  })
})
