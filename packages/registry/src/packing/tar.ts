import { CorruptTarballError, UnsafeEntryError, UnsafePathError } from './errors.ts'

/*
 * Tar as POSIX.1-2017 `pax` defines it. Written strictly and read more strictly: what two programs might read
 * differently is refused, because a package is checked here and unpacked elsewhere.
 */

const BLOCK = 512
/** npm's: 1985-10-26T08:15:00Z, in seconds. */
const MTIME = 499_162_500
const MAX_PAX_BYTES = 64 * 1024
/** What says nothing about where and how much; also anything of a vendor, which has a dot in it. */
const HARMLESS_PAX = /^(atime|charset|comment|ctime|gid|gname|hdrcharset|mtime|uid|uname|[^.=]+\..*)$/s
/** GNU's sparse files hold other bytes than their reader would see. */
const SPARSE_PAX = /^GNU\.sparse\./
const KINDS: Readonly<Record<string, string>> = {
  1: 'a hard link',
  2: 'a symbolic link',
  3: 'a character device',
  4: 'a block device',
  6: 'a named pipe',
  K: 'a link with a long target',
  S: 'a sparse file'
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export interface TarSource {
  path: string
  executable: boolean
  size: number
  /** Exactly `size` bytes. */
  content(): AsyncIterable<Uint8Array>
}

/** A tar of these files, in this order. The same files give the same bytes on every machine. */
export async function* writeTar(files: Iterable<TarSource>): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    const path = encoder.encode(file.path)
    if (path.length > 100 || path.length !== file.path.length) {
      const pax = paxRecord('path', file.path)
      yield header('PaxHeader', 0o644, pax.length, 'x')
      yield pax
      yield padding(pax.length)
    }
    yield header(file.path, file.executable ? 0o755 : 0o644, file.size, '0')
    yield* file.content()
    yield padding(file.size)
  }
  yield new Uint8Array(2 * BLOCK)
}

function paxRecord(key: string, value: string): Uint8Array {
  const rest = encoder.encode(` ${key}=${value}\n`).length
  let length = rest + 1
  // The length counts its own digits.
  while (String(length).length + rest !== length) length = String(length).length + rest
  return encoder.encode(`${length} ${key}=${value}\n`)
}

function header(path: string, mode: number, size: number, type: string): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const put = (offset: number, text: string): void => block.set(encoder.encode(text), offset)
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')
  encoder.encodeInto(path, block.subarray(0, 100))
  put(100, octal(mode, 7))
  put(108, octal(0, 7))
  put(116, octal(0, 7))
  put(124, octal(size, 11))
  put(136, octal(MTIME, 11))
  put(156, type)
  put(257, 'ustar\u000000')
  put(329, octal(0, 7))
  put(337, octal(0, 7))
  put(148, `${octal(checksum(block), 6)}\u0000 `)
  return block
}

function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK)
}

/** The sum of all bytes, those of the checksum itself counted as spaces. */
function checksum(block: Uint8Array): number {
  let sum = 0
  for (let index = 0; index < BLOCK; index++) sum += index >= 148 && index < 156 ? 32 : (block[index] ?? 0)
  return sum
}

export interface TarEntry {
  /** As it stands there, without a "/" at the end. */
  path: string
  kind: 'file' | 'folder'
  executable: boolean
  size: number
  /** To be read before the next entry is asked for; what was left unread is passed over. */
  content: AsyncIterable<Uint8Array>
}

/**
 * The files and folders of a tar, in order, each content as it arrives. Paths are as they stand there: unchecked.
 *
 * @throws {CorruptTarballError} ERR_CORRUPT_TARBALL
 * @throws {UnsafeEntryError} ERR_UNSAFE_ENTRY, anything but a file or a folder
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const bytes = new ByteReader(chunks)
  let override: { path?: string; size?: number } = {}
  for (;;) {
    const block = await bytes.exactly(BLOCK)
    if (block === undefined || isZero(block)) {
      await checkEnd(bytes, block !== undefined)
      if (Object.keys(override).length > 0)
        throw new CorruptTarballError('it ends after the header of a file')
      return
    }
    if (readOctal(block, 148, 8, 'checksum') !== checksum(block)) {
      throw new CorruptTarballError('a header does not have its checksum')
    }
    const type = String.fromCharCode(block[156] ?? 0)
    const written = readOctal(block, 124, 12, 'size')
    if (type === 'x' || type === 'g' || type === 'L') {
      const meta = await readMeta(bytes, written)
      if (type === 'L') override = { ...override, path: decode(untilNul(meta)) }
      else override = { ...override, ...readPax(meta, type === 'g') }
      continue
    }
    const path = override.path ?? readPath(block)
    const size = override.size ?? written
    override = {}
    if (type !== '0' && type !== '\u0000' && type !== '5') {
      throw new UnsafeEntryError(path, KINDS[type] ?? `of the unknown kind ${JSON.stringify(type)}`)
    }
    const kind = type === '5' || path.endsWith('/') ? 'folder' : 'file'
    if (kind === 'folder' && size > 0) throw new CorruptTarballError('a folder has content')
    const executable = (readOctal(block, 100, 8, 'mode') & 0o100) !== 0
    bytes.open(size)
    yield { path: path.replace(/\/$/, ''), kind, executable, size, content: bytes.content() }
    await bytes.close()
    await bytes.skipPadding(size)
  }
}

/** After the end nothing may follow but zeros: what others might go on to read is no part of what was checked. */
async function checkEnd(bytes: ByteReader, sawZero: boolean): Promise<void> {
  if (!sawZero) return
  for (;;) {
    const chunk = await bytes.some()
    if (chunk === undefined) return
    if (!isZero(chunk)) throw new CorruptTarballError('there is something after its end')
  }
}

async function readMeta(bytes: ByteReader, size: number): Promise<Uint8Array> {
  if (size > MAX_PAX_BYTES)
    throw new CorruptTarballError(`an extended header has more than ${MAX_PAX_BYTES} bytes`)
  const meta = size === 0 ? new Uint8Array() : await bytes.exactly(size)
  if (meta === undefined) throw new CorruptTarballError('it ends within a header')
  await bytes.skipPadding(size)
  return meta
}

function readPax(bytes: Uint8Array, global: boolean): { path?: string; size?: number } {
  const result: { path?: string; size?: number } = {}
  let offset = 0
  while (offset < bytes.length) {
    const space = bytes.indexOf(0x20, offset)
    const lengthText = space === -1 ? '' : decode(bytes.subarray(offset, space))
    const length = /^[1-9][0-9]{0,5}$/.test(lengthText) ? Number(lengthText) : 0
    const end = offset + length
    const equals = bytes.indexOf(0x3d, space)
    if (length === 0 || end > bytes.length || equals === -1 || equals >= end || bytes[end - 1] !== 0x0a) {
      throw new CorruptTarballError('an extended header cannot be read')
    }
    const key = decode(bytes.subarray(space + 1, equals))
    const value = bytes.subarray(equals + 1, end - 1)
    if (key === 'path' && !global) result.path = decode(value)
    else if (key === 'size' && !global) result.size = readDecimal(decode(value))
    else if (key === 'linkpath') throw new UnsafeEntryError(decode(value), 'the target of a link')
    else if (SPARSE_PAX.test(key)) throw new UnsafeEntryError(key, 'the mark of a sparse file')
    else if (!HARMLESS_PAX.test(key)) {
      throw new CorruptTarballError(`an extended header sets ${JSON.stringify(key.slice(0, 40))}`)
    }
    offset = end
  }
  return result
}

function readDecimal(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw new CorruptTarballError('a size is not a number')
  return Number(text)
}

function readPath(block: Uint8Array): string {
  const name = decode(untilNul(block.subarray(0, 100)))
  // GNU's own format writes two spaces for the version, and other things where the prefix would be.
  const isUstar = decode(block.subarray(257, 265)) === 'ustar\u000000'
  const prefix = isUstar ? decode(untilNul(block.subarray(345, 500))) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

function readOctal(block: Uint8Array, offset: number, length: number, field: string): number {
  const text = String.fromCharCode(...block.subarray(offset, offset + length))
  const digits = /^ *([0-7]*)[ \0]*$/.exec(text)?.[1]
  if (digits === undefined) throw new CorruptTarballError(`a header's ${field} is not an octal number`)
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new UnsafePathError(Buffer.from(bytes).toString('latin1'), 'is not UTF-8')
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/** Takes a stream of chunks apart at given lengths; of one content, only what was already read is held. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()
  #remaining = 0

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** The next bytes, at most `max`, or undefined at the end. */
  async some(max: number = Number.POSITIVE_INFINITY): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next()
      if (next.done === true) return undefined
      this.#rest = next.value
    }
    const taken = this.#rest.subarray(0, max)
    this.#rest = this.#rest.subarray(taken.length)
    return taken
  }

  /** Undefined when the stream ends right here. */
  async exactly(length: number): Promise<Uint8Array | undefined> {
    const first = await this.some(length)
    if (first === undefined || first.length === length) return first
    const result = new Uint8Array(length)
    result.set(first)
    for (let filled = first.length; filled < length; ) {
      const more = await this.some(length - filled)
      if (more === undefined) throw new CorruptTarballError('it ends too early')
      result.set(more, filled)
      filled += more.length
    }
    return result
  }

  open(size: number): void {
    this.#remaining = size
  }

  async *content(): AsyncGenerator<Uint8Array> {
    while (this.#remaining > 0) {
      const chunk = await this.some(this.#remaining)
      if (chunk === undefined) throw new CorruptTarballError('it ends within a file')
      this.#remaining -= chunk.length
      yield chunk
    }
  }

  async close(): Promise<void> {
    for await (const _ of this.content());
  }

  async skipPadding(size: number): Promise<void> {
    const length = (BLOCK - (size % BLOCK)) % BLOCK
    if (length > 0 && (await this.exactly(length)) === undefined)
      throw new CorruptTarballError('it ends too early')
  }
}
