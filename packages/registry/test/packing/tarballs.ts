import { gzipSync } from 'node:zlib'

/** One entry, as it shall stand in the tar: nothing is checked, so that anything can be written. */
export interface RawEntry {
  path: string
  content?: string | Uint8Array
  /** @default '0', a file */
  type?: string
  link?: string
  mode?: number
  prefix?: string
  /** What the header says, if not the size of the content. */
  size?: number
  checksum?: number
}

/** A tarball of these entries with the two blocks that end it. */
export function tarball(...entries: readonly RawEntry[]): Uint8Array {
  return gzipSync(tar(...entries))
}

export function tar(...entries: readonly RawEntry[]): Uint8Array {
  return Buffer.concat([...entries.map(entryBlocks), Buffer.alloc(1024)])
}

export function entryBlocks(entry: RawEntry): Uint8Array {
  const content = Buffer.from(entry.content ?? '')
  const block = Buffer.alloc(512)
  block.write(entry.path, 0, 100)
  block.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, '0')}\0`, 100)
  block.write(`${(entry.size ?? content.length).toString(8).padStart(11, '0')}\0`, 124)
  block.write('00000000000\0', 136)
  block.write(entry.type ?? '0', 156)
  block.write(entry.link ?? '', 157, 100)
  block.write('ustar\x0000', 257)
  block.write(entry.prefix ?? '', 345, 155)
  block.fill(' ', 148, 156)
  const sum = entry.checksum ?? block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([block, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

/** An extended header of these records, each given its length. */
export function pax(records: Readonly<Record<string, string>>, type = 'x'): RawEntry {
  const content = Object.entries(records)
    .map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`)
      let length = rest + 1
      while (String(length).length + rest !== length) length = String(length).length + rest
      return `${length} ${key}=${value}\n`
    })
    .join('')
  return { path: 'PaxHeader', type, content }
}

export function manifestEntry(fields: object = {}): RawEntry {
  return {
    path: 'package/package.json',
    content: JSON.stringify({ name: 'example', version: '1.0.0', ...fields })
  }
}
