import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { inspectTarball, type ReleaseFields } from '@registry/registry'
import {
  type FetchedPackage,
  type P2PRegistry,
  type Package,
  parseVersion,
  type Version
} from '@registry/types'
import type { Call } from './call.ts'
import { ManifestMismatchError, NothingFoundError } from './errors.ts'
import { exactReference, parseNpmName, versionInFile } from './names.ts'

/** Contents whose manifest was compared with their release; forgetting one costs comparing it again. */
const MAX_CHECKED = 100_000

/** Hands tarballs to npm's clients. */
export class Tarballs {
  readonly #registry: P2PRegistry
  /** CIDs of the contents that bear their release out, oldest first. */
  readonly #checked = new Set<string>()

  constructor(registry: P2PRegistry) {
    this.#registry = registry
  }

  /**
   * Sends a tarball, or the part of it that is asked for. What is not known is not found at once; what is known and not here
   * is fetched from other peers first.
   */
  async send(call: Call, name: string, file: string): Promise<void> {
    const { request, response, signal } = call
    const version = parseFileVersion(name, file)
    const reference = exactReference(parseNpmName(name), version)
    const known = await this.#registry.getVersion(...splitReference(reference, version))
    if (known === undefined) throw notFound(name, file)
    const headers = {
      'content-type': 'application/octet-stream',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      etag: `"${known.integrity}"`
    }
    if (request.headers['if-none-match'] === headers.etag) {
      response.writeHead(304, headers).end()
      return
    }
    if (request.method === 'HEAD') {
      response.writeHead(200, { ...headers, 'content-length': known.size }).end()
      return
    }
    const fetched = await this.#registry.get(reference, { signal, integrity: known.integrity })
    if (fetched === undefined) throw notFound(name, file)
    await this.#check(fetched, signal)
    const range = parseRange(request.headers.range, known.size)
    if (range === 'none') {
      response.writeHead(416, { 'content-range': `bytes */${known.size}` }).end()
      return
    }
    const pieces = fetched.content({ signal })[Symbol.asyncIterator]()
    // Before the head, so that a content which cannot be read has a status of its own.
    const first = await pieces.next()
    const [from, to] = range ?? [0, known.size - 1]
    response.writeHead(range === undefined ? 200 : 206, {
      ...headers,
      'content-length': to - from + 1,
      ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${to}/${known.size}` })
    })
    const body = part(withFirst(first, pieces), from, to)
    await pipeline(Readable.from(body, { objectMode: false }), response, { signal })
  }

  /** An owner may sign what its tarball does not bear out. This peer has checked its own when it published them. */
  async #check(fetched: FetchedPackage, signal: AbortSignal): Promise<void> {
    const { cid, owner } = fetched.package
    if (owner === this.#registry.owner || this.#checked.has(cid)) return
    const differing = differences(
      fetched.package,
      await inspectTarball(fetched.content({ signal }), { signal })
    )
    if (differing.length > 0) throw new ManifestMismatchError(fetched.package.id, differing)
    this.#checked.add(cid)
    for (const oldest of this.#checked) {
      if (this.#checked.size <= MAX_CHECKED) break
      this.#checked.delete(oldest)
    }
  }
}

/** What of that which decides an installation is not as the manifest has it. */
function differences(signed: Package, found: ReleaseFields): string[] {
  const fields = ['name', 'version', 'dependencies', 'npm'] as const
  return fields.filter((field) => canonical(signed[field]) !== canonical(found[field]))
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => Number(a > b) - Number(a < b)))
      : item
  )
}

/** `name-1.0.0.tgz`, of this name. @throws ERR_NOT_FOUND */
export function parseFileVersion(name: string, file: string): Version {
  const text = versionInFile(name, file)
  try {
    return parseVersion(text)
  } catch {
    throw notFound(name, file)
  }
}

function splitReference(reference: string, version: Version): [name: string, version: string] {
  return [reference.slice(0, -version.length - 1), version]
}

function notFound(name: string, file: string): NothingFoundError {
  return new NothingFoundError(`${name} has no ${file}`)
}

/** One range of bytes, both ends included. A form that is not understood is as none, as HTTP has it. */
function parseRange(
  header: string | undefined,
  size: number
): [from: number, to: number] | 'none' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  const [from, to] =
    first === ''
      ? [Math.max(0, size - Number(last)), size - 1]
      : [Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1)]
  return from > to || from >= size ? 'none' : [from, to]
}

async function* part(
  pieces: AsyncIterable<Uint8Array>,
  from: number,
  to: number
): AsyncGenerator<Uint8Array> {
  let offset = 0
  for await (const piece of pieces) {
    const start = Math.max(0, from - offset)
    const end = Math.min(piece.length, to + 1 - offset)
    offset += piece.length
    if (start < end) yield piece.subarray(start, end)
    if (offset > to) return
  }
}

async function* withFirst(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}
