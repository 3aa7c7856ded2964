import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameDecoder, FrameFault, frameLength } from '../src/frame-decoder.ts'

const MAX = 20_000

function encoded(frames: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(frames.flatMap((frame) => [frameLength(frame.length), frame])))
}

/** All frames of a stream that comes in pieces of the given lengths, round and round. */
function decoded(bytes: Uint8Array, pieces: readonly number[], maxFrameBytes = MAX): Uint8Array[] {
  const decoder = new FrameDecoder(maxFrameBytes)
  const frames: Uint8Array[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const piece = pieces[turn % pieces.length] ?? 1
    decoder.push(bytes.subarray(at, at + piece))
    at += piece
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame)
  }
  return frames
}

const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 })
const pieces = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 })

describe('FrameDecoder', () => {
  it('gives back the frames that were sent, however they are cut on the way', () => {
    fc.assert(
      fc.property(frames, pieces, (sent, cut) => {
        expect(decoded(encoded(sent), cut)).toEqual(sent)
      })
    )
  })

  it('holds back a frame of which bytes are missing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), pieces, (frame, cut) => {
        expect(decoded(encoded([frame]).subarray(0, -1), cut)).toEqual([])
      })
    )
  })

  it('makes of any bytes nothing but frames within the limit, or a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1000 }), pieces, (bytes, cut) => {
        try {
          for (const frame of decoded(bytes, cut, 100)) {
            expect(frame.length).toBeGreaterThan(0)
            expect(frame.length).toBeLessThanOrEqual(100)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(FrameFault)
        }
      })
    )
  })

  it('does no more work for a frame that comes byte by byte than its length asks for', () => {
    const frame = new Uint8Array(512 * 1024).fill(7)
    expect(decoded(encoded([frame]), [1], frame.length)).toEqual([frame])
  })

  it.each([1, 127, 128, 16_383, 16_384, MAX])('takes a frame of %i bytes', (length) => {
    const frame = new Uint8Array(length).fill(7)
    expect(decoded(encoded([frame]), [1000])).toEqual([frame])
  })

  it('refuses a frame above the limit by its length alone', () => {
    const decoder = new FrameDecoder(MAX)
    decoder.push(frameLength(MAX + 1))
    expect(() => decoder.next()).toThrow(FrameFault)
  })

  it.each([
    ['no bytes', [0x00]],
    ['a length that could be shorter', [0x81, 0x00]],
    ['a length without end', [0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a length without end of zeros', [0x80, 0x80, 0x80, 0x80, 0x80]]
  ])('refuses %s', (_, bytes) => {
    const decoder = new FrameDecoder(2 ** 27)
    decoder.push(Uint8Array.from(bytes))
    expect(() => decoder.next()).toThrow(FrameFault)
  })

  it('counts what it keeps', () => {
    const decoder = new FrameDecoder(MAX)
    decoder.push(encoded([new Uint8Array(10), new Uint8Array(5)]))
    expect(decoder.bufferedBytes).toBe(17)
    decoder.next()
    expect(decoder.bufferedBytes).toBe(6)
    decoder.next()
    expect(decoder.bufferedBytes).toBe(0)
  })
})
