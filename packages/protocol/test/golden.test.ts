import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXAMPLES } from './golden.ts'

/** The hex blocks of a document by their titles, without spaces and comments. */
function hexBlocks(document: string): Map<string, string> {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/protocol', `${document}.md`), 'utf8')
  return new Map(
    Array.from(text.matchAll(/^```hex (.+)\n([^`]+)^```$/gm), ([, title = '', block = '']) => [
      title,
      block.replaceAll(/#.*$|\s/gm, '')
    ])
  )
}

describe.each(Object.entries(EXAMPLES))('docs/protocol/%s.md', (document, examples) => {
  const blocks = hexBlocks(document)

  it('has an example for each of these exchanges and no other', () => {
    expect([...blocks.keys()]).toEqual(examples.map(({ title }) => title))
  })

  it.each(examples)('writes down the very bytes of: $title', ({ title, frame }) => {
    expect(Buffer.from(frame).toString('hex')).toBe(blocks.get(title))
  })
})
