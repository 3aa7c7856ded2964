import { seededPeerId } from '@registry/testing'
import { describe, expect, it } from 'vitest'
import { InvalidAddressError, parseAddress, parsePeerAddress, parsePeerId, peerIdText } from '../src/index.ts'

const ALICE = seededPeerId('alice')
const BOB = seededPeerId('bob')

describe('the address of a peer', () => {
  it.each([
    `/ip4/127.0.0.1/tcp/4001/p2p/${ALICE}`,
    `/ip6/::1/udp/4001/quic-v1/p2p/${ALICE}`,
    `/dns4/example.org/tcp/443/tls/ws/p2p/${ALICE}`,
    `/dnsaddr/bootstrap.example.org/p2p/${ALICE}`,
    `/ip4/127.0.0.1/tcp/4001/p2p/${BOB}/p2p-circuit/p2p/${ALICE}`,
    `/memory/1/p2p/${ALICE}`
  ])('%s is read as it is', (address) => {
    expect(parsePeerAddress(address)).toEqual({ address, peerId: ALICE })
  })

  it('has one form, however its peer ID is written', () => {
    const cid = parsePeerId(ALICE)?.toCID().toString()
    expect(parsePeerAddress(`/ip4/127.0.0.1/tcp/4001/ipfs/${ALICE}`)).toEqual({
      address: `/ip4/127.0.0.1/tcp/4001/p2p/${ALICE}`,
      peerId: ALICE
    })
    expect(parsePeerAddress(`/ip4/127.0.0.1/tcp/4001/p2p/${cid}`).peerId).toBe(ALICE)
  })

  it.each([
    [undefined, 'it is not a text'],
    [42, 'it is not a text'],
    ['', 'it does not begin with "/"'],
    ['127.0.0.1:4001', 'it does not begin with "/"'],
    ['/', 'it is empty'],
    [`/${'x'.repeat(600)}`, 'it is longer than 512 characters'],
    ['/ip4/999.0.0.1/tcp/1', undefined],
    ['/ip4/127.0.0.1/tcp/4001/p2p/nobody', undefined],
    [`/p2p/${ALICE}`, 'it says who, but not where'],
    ['/ip4/127.0.0.1/tcp/4001', 'it does not end in /p2p/ and the peer ID'],
    [`/ip4/127.0.0.1/tcp/4001/p2p/${BOB}/p2p-circuit`, 'it does not end in /p2p/ and the peer ID']
  ])('%j is refused with a sentence and an example', (value, reason) => {
    expect.assertions(4)
    try {
      parsePeerAddress(value)
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidAddressError)
      expect(error).toMatchObject({ code: 'ERR_INVALID_ADDRESS', retryable: false })
      expect(error).toMatchObject(reason === undefined ? {} : { details: { reason } })
      const { hint } = error as InvalidAddressError
      const example = /\/ip4\S*[^.\s]/.exec(hint ?? '')?.[0]
      expect(parsePeerAddress(example).peerId).toMatch(/^12D3/)
    }
  })

  it('may leave the peer out where it is known, but not name another', () => {
    const where = '/ip4/127.0.0.1/tcp/4001'
    expect(parsePeerAddress(where, ALICE)).toEqual({ address: `${where}/p2p/${ALICE}`, peerId: ALICE })
    expect(() => parsePeerAddress(`${where}/p2p/${BOB}`, ALICE)).toThrow('it leads to another peer')
    expect(parseAddress(where)).toEqual({ address: where })
    expect(parseAddress(`${where}/p2p/${ALICE}`)).toEqual({ address: `${where}/p2p/${ALICE}`, peerId: ALICE })
  })

  it('needs a peer ID of libp2p', () => {
    expect(parsePeerId('nobody')).toBeUndefined()
    expect(parsePeerId('https://example.org')).toBeUndefined()
    const peerId = parsePeerId(ALICE)
    expect(peerId === undefined ? undefined : peerIdText(peerId)).toBe(ALICE)
  })
})
