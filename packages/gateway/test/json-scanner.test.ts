import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonScanner } from '../src/json-scanner.ts'

/** The text without the attachment, and the attachment, when the text comes in such pieces. */
function scan(text: string, cuts: readonly number[] = []): { text: string; attachment: string } {
  const bytes = Buffer.from(text)
  const pieces: Uint8Array[] = []
  const scanner = new JsonScanner({
    maxTextBytes: 1_000_000,
    isAttachment: (path) => path.join('/') === '_attachments/a.tgz/data',
    onAttachment: (piece) => pieces.push(Uint8Array.from(piece))
  })
  let from = 0
  for (const cut of [...cuts, bytes.length].map((at) => at % (bytes.length + 1)).sort((a, b) => a - b)) {
    scanner.scan(bytes.subarray(from, cut))
    from = cut
  }
  scanner.scan(bytes.subarray(from))
  return { text: scanner.end(), attachment: Buffer.concat(pieces).toString() }
}

describe('JSON on its way in', () => {
  it('is the same text but for the attachment, however it is cut up', () => {
    const base64 = fc.base64String()
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), base64, fc.array(fc.nat()), (before, after, data, cuts) => {
        const of = (text: string): string =>
          JSON.stringify({ before, _attachments: { 'a.tgz': { length: 1, data: text } }, data, after })
        expect(scan(of(data), cuts)).toEqual({ text: of(''), attachment: data })
      })
    )
  })

  it('is the same text when nothing is attached', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 20 }), fc.array(fc.nat()), (json, cuts) => {
        expect(scan(json, cuts)).toEqual({ text: json, attachment: '' })
      })
    )
  })

  it('may write the slashes of base64 and the keys with escapes', () => {
    const text = '{"_attac\\u0068ments":{"a.tgz":{"data":"ab\\/cd\\/"}}}'
    for (let cut = 0; cut < text.length; cut++) expect(scan(text, [cut]).attachment).toBe('ab/cd/')
    expect(() => scan('{"_attachments":{"a.tgz":{"data":"ab\\n"}}}')).toThrow('escape')
  })

  it('has one attachment at one place, and no deeper or higher', () => {
    for (const text of [
      '{"a":{"_attachments":{"a.tgz":{"data":"x"}}}}',
      '{"_attachments":{"a.tgz":{"x":{"data":"x"}}}}',
      '{"_attachments":{"a.tgz":["data","x"]}}',
      '{"_attachments":{"a.tgz":{"x":[1,"data"],"y":"data"}}}'
    ]) {
      expect(scan(text)).toEqual({ text, attachment: '' })
    }
  })

  it('is of a bounded size and depth, whatever is in it', () => {
    const scanner = new JsonScanner({ maxTextBytes: 10 })
    expect(() => scanner.scan(Buffer.from('"12345678901"'))).toThrow('10 bytes')
    expect(() => scan('['.repeat(129))).toThrow('128 levels')
    expect(() => scan(`${'[]'.repeat(500)}`)).not.toThrow()
    expect(() => scan(`"${'['.repeat(500)}"`)).not.toThrow()
  })
})
