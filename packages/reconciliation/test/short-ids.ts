import { hash } from 'node:crypto'
import { SHORT_ID_BYTES, type Sketch, type SketchInit, sketch } from '../src/index.ts'
import { Mapping } from '../src/mapping.ts'

/** The short ID of a record with this text. */
export function shortId(text: string): Uint8Array {
  return Uint8Array.from(hash('sha256', text, 'buffer').subarray(0, SHORT_ID_BYTES))
}

/** Packed short IDs, other ones for each label: one digest gives two of them. */
export function shortIds(label: string, count: number): Uint8Array {
  const packed = new Uint8Array(Math.ceil(count / 2) * 2 * SHORT_ID_BYTES)
  for (let offset = 0; offset < packed.length; offset += 2 * SHORT_ID_BYTES) {
    packed.set(hash('sha256', `${label} ${offset}`, 'buffer'), offset)
  }
  return packed.subarray(0, count * SHORT_ID_BYTES)
}

export function packed(ids: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * SHORT_ID_BYTES)
  for (const [index, id] of ids.entries()) bytes.set(id, index * SHORT_ID_BYTES)
  return bytes
}

export function sketchOf(ids: Uint8Array, init?: SketchInit): Sketch {
  const made = sketch(init)
  made.addAll(ids)
  return made
}

/** In hex and in ascending order, so that sets can be compared. */
export function listed(ids: Uint8Array): string[] {
  const hex = Buffer.from(ids).toString('hex')
  return (hex.match(/.{32}/g) ?? []).sort()
}

/** The four words of a short ID. */
export function wordsOf(id: Uint8Array): [number, number, number, number] {
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength)
  return [view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true), view.getInt32(12, true)]
}

/** With the checksum of an ID and its indices below `end`. */
export function mappingOf(id: Uint8Array, end: number): Mapping {
  const mapping = new Mapping()
  mapping.mix(...wordsOf(id))
  mapping.walk(0, end)
  return mapping
}
