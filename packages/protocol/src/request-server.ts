import type { Connection, Stream } from '@libp2p/interface'
import { type Clock, isRegistryError, type PeerIdText } from '@registry/types'
import { FrameFault } from './frame-decoder.ts'
import { FramedStream } from './framed-stream.ts'
import {
  encodeMessage,
  isWireCode,
  parseRequest,
  type RequestMessage,
  type ResponseMessage
} from './message.ts'
import { MAX_UNANSWERED_BYTES, type Method, type ProtocolShape } from './method.ts'

/** Answers one method from its parameters as they came; undefined when there is no result to send. */
export type Answer = (from: PeerIdText, params: unknown) => Promise<unknown>

/** The answer to a method by a handler that knows nothing of bytes. */
export function answer<Params, Result>(
  method: Method<Params, Result>,
  handle: (from: PeerIdText, params: Params) => Promise<Result>
): [string, Answer] {
  return [
    method.name,
    async (from, value) => {
      let params: Params
      try {
        params = method.parseParams(value)
      } catch (cause) {
        throw new BadRequest(`its ${method.name} is malformed`, { cause })
      }
      return method.encodeResult(await handle(from, params), params)
    }
  ]
}

class BadRequest extends Error {}

export interface RequestServerInit {
  shape: ProtocolShape
  requestTimeoutMs: number
  idleTimeoutMs: number
}

export interface RequestServerComponents {
  answers: ReadonlyMap<string, Answer>
  clock: Clock
  admit: (peerId: PeerIdText, method: string) => boolean
  onMisbehaviour: (peerId: PeerIdText, reason: string) => void
}

/** Answers what peers ask over one protocol, on every stream they open for it. */
export class RequestServer {
  readonly #init: RequestServerInit
  readonly #components: RequestServerComponents
  readonly #streams = new Set<ServedStream>()

  constructor(init: RequestServerInit, components: RequestServerComponents) {
    this.#init = init
    this.#components = components
  }

  serve(stream: Stream, connection: Connection): void {
    const from = connection.remotePeer.toString() as PeerIdText
    const served: ServedStream = new ServedStream(from, stream, this.#init, this.#components, () => {
      this.#streams.delete(served)
    })
    this.#streams.add(served)
  }

  /** Closes every stream; resolves when no handler works any more, also for streams lost before. */
  async stop(): Promise<void> {
    await Promise.all([...this.#streams].map((served) => served.stop()))
  }
}

class ServedStream {
  readonly #from: PeerIdText
  readonly #init: RequestServerInit
  readonly #components: RequestServerComponents
  readonly #frames: FramedStream
  readonly #onGone: () => void
  readonly #working = new Set<Promise<void>>()
  #lastUsedMs: number
  #cancelTimer: () => void
  #remoteEnded = false

  constructor(
    from: PeerIdText,
    stream: Stream,
    init: RequestServerInit,
    components: RequestServerComponents,
    onGone: () => void
  ) {
    this.#from = from
    this.#init = init
    this.#components = components
    this.#onGone = onGone
    this.#lastUsedMs = components.clock.now()
    this.#frames = new FramedStream(
      {
        maxFrameBytes: init.shape.maxRequestBytes,
        // The asker keeps to the first part; the second is for what it adds around its requests.
        maxReadBufferBytes: 2 * MAX_UNANSWERED_BYTES,
        stallTimeoutMs: init.requestTimeoutMs
      },
      {
        stream,
        clock: components.clock,
        onFrame: (frame) => this.#take(frame),
        onEnd: () => {
          this.#remoteEnded = true
          if (this.#working.size === 0) this.#frames.close()
        },
        onClose: (error) => this.#gone(error)
      }
    )
    this.#cancelTimer = this.#watch(this.#idleMs)
  }

  async stop(): Promise<void> {
    this.#frames.abort(new Error('The package protocols were stopped'))
    await Promise.all(this.#working)
  }

  /** Longer than the asker's, so that it is the asker who ends an idle stream and no request meets a closed one. */
  get #idleMs(): number {
    return this.#init.idleTimeoutMs + this.#init.requestTimeoutMs
  }

  #watch(delayMs: number): () => void {
    const { clock } = this.#components
    return clock.schedule(() => {
      const leftMs = this.#lastUsedMs + this.#idleMs - clock.now()
      if (leftMs > 0 || this.#working.size > 0) this.#cancelTimer = this.#watch(Math.max(leftMs, 1))
      else this.#frames.abort(new Error('The peer asked nothing for long'))
    }, delayMs)
  }

  #gone(error: Error | undefined): void {
    this.#cancelTimer()
    Promise.all(this.#working).then(() => this.#onGone())
    if (error instanceof FrameFault) this.#components.onMisbehaviour(this.#from, error.message)
  }

  #take(frame: Uint8Array): void {
    let request: RequestMessage
    try {
      request = parseRequest(frame)
    } catch (cause) {
      throw new FrameFault('a request is malformed', { cause })
    }
    this.#lastUsedMs = this.#components.clock.now()
    const work = this.#work(request).finally(() => {
      this.#working.delete(work)
      if (this.#remoteEnded && this.#working.size === 0) this.#frames.close()
      else this.#frames.release()
    })
    this.#working.add(work)
    if (this.#working.size >= this.#init.shape.maxConcurrentRequests) this.#frames.hold()
  }

  /** Keeps its place among the concurrent requests until the peer has taken the answer. Never rejects. */
  async #work({ id, method, params }: RequestMessage): Promise<void> {
    let frame: Uint8Array
    try {
      frame = encodeMessage(await this.#respond(id, method, params))
      if (frame.length > this.#init.shape.maxResponseBytes) throw new Error('The answer fits no frame')
    } catch (error) {
      frame = encodeMessage(this.#failure(id, error))
    }
    await this.#frames.write(frame)
  }

  async #respond(id: number, method: string, params: unknown): Promise<ResponseMessage> {
    if (!this.#components.admit(this.#from, method)) return { id, status: 'busy' }
    const respond = this.#components.answers.get(method)
    if (respond === undefined) return { id, status: 'error', error: 'ERR_UNKNOWN_METHOD' }
    const result = await respond(this.#from, params)
    return result === undefined ? { id, status: 'not-found' } : { id, status: 'ok', result }
  }

  /** What the asker learns of a failure: its code. */
  #failure(id: number, error: unknown): ResponseMessage {
    if (error instanceof BadRequest) {
      this.#components.onMisbehaviour(this.#from, error.message)
      return { id, status: 'error', error: 'ERR_BAD_REQUEST' }
    }
    if (isRegistryError(error, 'ERR_PEER_BUSY')) return { id, status: 'busy' }
    const tellable = isRegistryError(error) && isWireCode(error.code)
    return { id, status: 'error', error: tellable ? error.code : 'ERR_INTERNAL' }
  }
}
