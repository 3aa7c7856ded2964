import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ConfigRow } from '@registry/config'
import {
  type CatalogueFileReport,
  type FetchedPackage,
  formatPackageReference,
  isRegistryError,
  type Logger,
  type P2PRegistry,
  PROTOCOL_LIMITS,
  type RegistryError
} from '@registry/types'
import { readJson, withUpload } from './body.ts'
import {
  CallerGoneError,
  DiskFullError,
  InternalError,
  NotFoundError,
  UnknownMethodError,
  WrongVerbError
} from './errors.ts'
import { checkCaller, checkToken } from './guard.ts'
import { httpStatusOf } from './http-status.ts'
import {
  CONTROL_PATH,
  FILE_METHODS,
  type FileMethod,
  type GetParams,
  MAX_PARAMS_BYTES,
  METHODS,
  type Method,
  parseGetParams,
  parsePathParam,
  parseSubscribeParams
} from './methods.ts'
import { ANSWER_HEADERS, LINES, LineWriter } from './ndjson.ts'
import { notFoundError } from './not-found.ts'

export interface ControlHandlerInit {
  /** What a caller has to show; see `createControlToken`. */
  token: string
  /** Where packages are received; each is removed again when it is published or refused. */
  uploadDir: string
  /** The largest package that is received. @default 536870912, the protocol's bound */
  maxPackageBytes?: number
}

export interface ControlHandlerComponents {
  registry: P2PRegistry
  /** The settings in force, for those who ask. */
  config: () => readonly ConfigRow[]
  /** Ends the peer, and does nothing where that is under way; called after a caller was told. */
  shutdown: () => void
  logger?: Logger
}

export const CONTROL_DEFAULTS: { readonly maxPackageBytes: number } = Object.freeze({
  maxPackageBytes: PROTOCOL_LIMITS.maxPackageBytes
})

/** Packages that `get` has resolved and `content` may be asked for next. */
const MAX_RESOLVED = 64

/** Answers every request under `CONTROL_PATH`, and any other with ERR_UNKNOWN_METHOD. */
export function controlHandler(
  init: ControlHandlerInit
): (components: ControlHandlerComponents) => RequestListener {
  return (components) => {
    const handler = new ControlHandler(init, components)
    return (request, response) => void handler.handle(request, response)
  }
}

interface Call {
  request: IncomingMessage
  response: ServerResponse
  /** Aborts when the caller goes away. */
  signal: AbortSignal
}

class ControlHandler {
  readonly #init: Required<ControlHandlerInit>
  readonly #components: ControlHandlerComponents
  readonly #resolved = new Map<string, FetchedPackage>()
  readonly #calls: ReadonlyMap<string, (call: Call) => Promise<void>>

  constructor(init: ControlHandlerInit, components: ControlHandlerComponents) {
    this.#init = { ...CONTROL_DEFAULTS, ...init }
    this.#components = components
    this.#calls = new Map<string, (call: Call) => Promise<void>>([
      ['publish', (call) => this.#publish(call)],
      ['get', (call) => this.#get(call)],
      ['content', (call) => this.#content(call)],
      ['subscribe', (call) => this.#subscribe(call)],
      ['shutdown', (call) => this.#shutdown(call)],
      ...Object.values(FILE_METHODS).map((method): [string, (call: Call) => Promise<void>] => [
        method.path,
        (call) => this.#answerInLines(method, call)
      ]),
      ...Object.values(METHODS).map((method): [string, (call: Call) => Promise<void>] => [
        method.path,
        (call) => this.#answer(method, call)
      ])
    ])
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const abort = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) abort.abort(new CallerGoneError())
    })
    try {
      await this.#dispatch({ request, response, signal: abort.signal })
    } catch (error) {
      this.#fail(response, error)
      // What is left of the body would else stand before the answer.
      request.resume()
    }
  }

  async #dispatch(call: Call): Promise<void> {
    const { request, response } = call
    checkCaller(request)
    const path = request.url ?? ''
    const name = path.startsWith(CONTROL_PATH) ? path.slice(CONTROL_PATH.length) : ''
    const isPing = name === 'ping'
    if (!(isPing && request.headers.authorization === undefined)) checkToken(request, this.#init.token)
    const answer = this.#calls.get(name)
    if (!isPing && answer === undefined) throw new UnknownMethodError()
    const verb = isPing ? 'GET' : 'POST'
    if (request.method !== verb) throw new WrongVerbError(verb)
    if (answer === undefined) sendJson(response, 200, { registry: 'p2p', version: 1 })
    else await answer(call)
  }

  async #answer<Params>(method: Method<Params, unknown>, { request, response, signal }: Call): Promise<void> {
    const params = method.parseParams(await readJson(request, MAX_PARAMS_BYTES))
    const answer = await method.run(this.#components, params, { signal })
    if (answer === undefined) throw await this.#notFound(subjectOf(params), signal)
    sendJson(response, 200, answer)
  }

  async #answerInLines<Report extends CatalogueFileReport>(
    method: FileMethod<Report>,
    { request, response, signal }: Call
  ): Promise<void> {
    const { path } = parsePathParam(await readJson(request, MAX_PARAMS_BYTES))
    const lines = new LineWriter(response)
    const onProgress = (progress: object): void => lines.offer({ progress })
    const report = await method.run(this.#components, path, { signal, onProgress })
    await lines.write({ report }, signal)
    response.end()
  }

  async #publish({ request, response, signal }: Call): Promise<void> {
    const { uploadDir: folder, maxPackageBytes: maxBytes } = this.#init
    const receipt = await withUpload(request, { folder, maxBytes, signal }, (path) =>
      this.#components.registry.publish({ kind: 'path', path }, { signal })
    )
    sendJson(response, 200, receipt)
  }

  async #get({ request, response, signal }: Call): Promise<void> {
    const { reference, ...pin } = parseGetParams(await readJson(request, MAX_PARAMS_BYTES))
    const lines = new LineWriter(response)
    const fetched = await this.#components.registry.get(reference, {
      ...pin,
      signal,
      onProgress: (progress) => lines.offer({ progress })
    })
    if (fetched === undefined) throw await this.#notFound(reference, signal)
    this.#remember(fetched)
    await lines.write({ package: fetched.package, completeness: fetched.completeness }, signal)
    response.end()
  }

  async #content({ request, response, signal }: Call): Promise<void> {
    const params = parseGetParams(await readJson(request, MAX_PARAMS_BYTES))
    const { reference, ...pin } = params
    const key = keyOf(params)
    const fetched =
      this.#resolved.get(key) ?? (await this.#components.registry.get(reference, { ...pin, signal }))
    if (fetched === undefined) throw await this.#notFound(reference, signal)
    this.#resolved.delete(key)
    const content = fetched.content({ signal })[Symbol.asyncIterator]()
    // Before the head, so that a content which cannot be read has a status of its own.
    const first = await content.next()
    response.writeHead(200, {
      'content-type': 'application/gzip',
      'content-length': fetched.package.size,
      ...ANSWER_HEADERS
    })
    await pipeline(Readable.from(withFirst(first, content), { objectMode: false }), response, { signal })
  }

  async #subscribe({ request, response, signal }: Call): Promise<void> {
    const { topic, after } = parseSubscribeParams(await readJson(request, MAX_PARAMS_BYTES))
    const options = after === undefined ? { signal } : { signal, after }
    const updates = this.#components.registry.subscribe(topic, options)[Symbol.asyncIterator]()
    const lines = new LineWriter(response)
    // Asked for before the head is sent: who has the head misses nothing from there on.
    let next = updates.next()
    lines.open()
    for (let update = await next; update.done !== true; update = await next) {
      await lines.write({ update: update.value }, signal)
      next = updates.next()
    }
    response.end()
  }

  async #shutdown({ response, signal }: Call): Promise<void> {
    const lines = new LineWriter(response)
    await lines.write({ stopping: true }, signal)
    // The answer has no end: it breaks off with the server, which is the last thing to go.
    this.#components.shutdown()
  }

  #remember(fetched: FetchedPackage): void {
    const { owner, name, version, integrity } = fetched.package
    const reference = formatPackageReference({ owner, name, range: version })
    this.#resolved.set(keyOf({ reference, integrity }), fetched)
    for (const oldest of this.#resolved.keys()) {
      if (this.#resolved.size <= MAX_RESOLVED) break
      this.#resolved.delete(oldest)
    }
  }

  /** Finding out what was meant must not hide that it was not found. */
  async #notFound(what: string, signal: AbortSignal): Promise<RegistryError> {
    try {
      return await notFoundError(this.#components.registry, what, { signal })
    } catch {
      return new NotFoundError(what)
    }
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (isRegistryError(error, 'ERR_CALLER_GONE') || response.destroyed) return
    const known = this.#known(error)
    if (!response.headersSent) sendJson(response, httpStatusOf(known), known)
    else if (response.getHeader('content-type') !== LINES) response.destroy()
    else response.end(`${JSON.stringify({ error: known })}\n`)
  }

  #known(error: unknown): RegistryError {
    if (isRegistryError(error)) return error
    if (isDiskFull(error)) return new DiskFullError(error)
    this.#components.logger?.warn('registry:control:handler', 'a call failed', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error)
    })
    return new InternalError(error)
  }
}

/** Of one version two contents may be signed. */
function keyOf({ reference, integrity = '' }: GetParams): string {
  return `${reference} ${integrity}`
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
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

function subjectOf(params: unknown): string {
  if (typeof params !== 'object' || params === null) return 'It'
  if ('reference' in params) return String(params.reference)
  return 'name' in params && 'version' in params ? `${params.name}@${params.version}` : 'It'
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    ...ANSWER_HEADERS
  })
  response.end(body)
}
