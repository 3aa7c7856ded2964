import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mappingOf, packed, shortId, sketchOf } from './short-ids.ts'

// When one of these has to change, the format has changed: so must the version of the protocol that carries it.

const document = readFileSync(join(import.meta.dirname, '../../../docs/protocol/symbols.md'), 'utf8')
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const blocks = new Map(
  Array.from(document.matchAll(/^```hex (.+)\n([^`]+)^```$/gm), ([, title = '', block = '']) => [
    title,
    block.replaceAll(/#.*$|\s/gm, '')
  ])
)

describe('docs/protocol/symbols.md', () => {
  it.each(['a', 'b', 'c'])('writes down the checksum and the first indices of %s', (text) => {
    const id = shortId(text)
    const mapping = mappingOf(id, 65_536)
    const checksum = Buffer.alloc(8)
    checksum.writeInt32LE(mapping.checksum0, 0)
    checksum.writeInt32LE(mapping.checksum1, 4)
    const indices = mapping.indices.subarray(0, Math.min(mapping.count, 16)).join(' ')
    expect(document).toContain(`| \`${text}\` | \`${hex(id)}\` | \`${hex(checksum)}\` | ${indices} |`)
  })

  it('writes down the symbols and the probes of three IDs', () => {
    const made = sketchOf(packed(['a', 'b', 'c'].map(shortId)))
    expect(Object.fromEntries(blocks)).toEqual({
      symbols: hex(made.symbols(0, 4)),
      probes: hex(made.probes())
    })
  })

  it('writes down the digest of the symbols of a thousand members', () => {
    const made = sketchOf(packed(Array.from({ length: 1000 }, (_, number) => shortId(`${number}`))))
    expect(document).toContain(hash('sha256', made.symbols(0, 65_536)))
  })
})
