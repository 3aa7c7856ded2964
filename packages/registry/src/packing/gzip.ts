import { Gzip } from 'fflate'

/** Bytes handed to the compressor at once. Its output depends on this, so it is part of the format of our tarballs. */
const INPUT_BYTES = 32 * 1024

/**
 * Compresses with code of our own choosing: zlib differs between builds of Node, and a package must not change its hash
 * with the machine it is packed on. The header names no time and no file.
 */
export async function* gzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let output: Uint8Array[] = []
  const compressor = new Gzip({ level: 6, mem: 4, mtime: 0 }, (chunk) => output.push(chunk))
  const block = new Uint8Array(INPUT_BYTES)
  let filled = 0
  for await (const chunk of source) {
    for (let offset = 0; offset < chunk.length; ) {
      const part = chunk.subarray(offset, offset + INPUT_BYTES - filled)
      block.set(part, filled)
      filled += part.length
      offset += part.length
      if (filled < INPUT_BYTES) continue
      compressor.push(block)
      filled = 0
      yield* output
      output = []
    }
  }
  compressor.push(block.subarray(0, filled), true)
  yield* output
}
