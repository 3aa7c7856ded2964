/** Pieces shorter than this are joined while they wait for the rest of their frame. */
const JOINED_BYTES = 16 * 1024

/** The bytes are no frames: a length that is 0, too large, or not in its shortest form. */
export class FrameFault extends Error {
  override readonly name: string = 'FrameFault'
}

/**
 * Cuts a stream of bytes into frames: a length as unsigned varint, then that many bytes. A length above the limit is a
 * fault as soon as it is read, before anything of its frame is kept.
 */
export class FrameDecoder {
  readonly #maxFrameBytes: number
  readonly #chunks: Uint8Array[] = []
  #bufferedBytes = 0
  /** Of the frame whose bytes come next; undefined while its length is being read. */
  #frameBytes: number | undefined
  #length = 0
  #shift = 0

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#bufferedBytes += chunk.length
    // Not a Buffer, whose `slice` would hand on parts of this chunk as if they were copies.
    let piece = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    // Each with one that is no longer: so a peer that sends byte by byte makes neither many pieces nor many copies.
    for (let last = this.#chunks.at(-1); last !== undefined; last = this.#chunks.at(-1)) {
      if (last.length > piece.length || piece.length >= JOINED_BYTES) break
      this.#chunks.pop()
      piece = joined(last, piece)
    }
    this.#chunks.push(piece)
  }

  /**
   * The next frame, or undefined until more bytes are pushed. It may share memory with what was pushed.
   *
   * @throws {FrameFault} and is of no use after that
   */
  next(): Uint8Array | undefined {
    this.#frameBytes ??= this.#readLength()
    if (this.#frameBytes === undefined || this.#frameBytes > this.#bufferedBytes) return undefined
    const frame = this.#take(this.#frameBytes)
    this.#frameBytes = undefined
    return frame
  }

  #readLength(): number | undefined {
    while (this.#bufferedBytes > 0) {
      const byte = this.#take(1)[0] ?? 0
      this.#length += (byte & 0x7f) * 2 ** this.#shift
      this.#shift += 7
      if (this.#length > this.#maxFrameBytes || this.#shift > 28) {
        throw new FrameFault(`a frame is longer than ${this.#maxFrameBytes} bytes`)
      }
      if (byte < 0x80) {
        const length = this.#length
        if (byte === 0) throw new FrameFault('a frame is empty, or its length is not in the shortest form')
        this.#length = 0
        this.#shift = 0
        return length
      }
    }
    return undefined
  }

  #take(count: number): Uint8Array {
    this.#bufferedBytes -= count
    const head = this.#chunks[0]
    if (head !== undefined && head.length > count) {
      this.#chunks[0] = head.subarray(count)
      return head.subarray(0, count)
    }
    if (head?.length === count) {
      this.#chunks.shift()
      return head
    }
    const taken = new Uint8Array(count)
    let filled = 0
    while (filled < count) {
      const chunk = this.#chunks[0]
      if (chunk === undefined) break
      const part = chunk.subarray(0, count - filled)
      taken.set(part, filled)
      filled += part.length
      if (part.length === chunk.length) this.#chunks.shift()
      else this.#chunks[0] = chunk.subarray(part.length)
    }
    return taken
  }
}

function joined(first: Uint8Array, then: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + then.length)
  both.set(first)
  both.set(then, first.length)
  return both
}

/** The length of a frame as it stands before it. */
export function frameLength(bytes: number): Uint8Array {
  const prefix: number[] = []
  let rest = bytes
  while (rest >= 0x80) {
    prefix.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  prefix.push(rest)
  return Uint8Array.from(prefix)
}
