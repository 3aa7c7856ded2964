import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import {
  type AbortOptions,
  type Clock,
  type ExchangeOptions,
  InvalidValueError,
  isRegistryError,
  type PeerIdText,
  type TrafficMeter
} from '@registry/types'
import {
  NotRunningError,
  PeerBusyError,
  PeerUnreachableError,
  ProtocolError,
  RemoteError,
  RequestTimeoutError,
  TooManyRequestsError
} from './errors.ts'
import { FrameFault, frameLength } from './frame-decoder.ts'
import { FramedStream } from './framed-stream.ts'
import { encodeMessage, parseResponse, type ResponseMessage } from './message.ts'
import { MAX_UNANSWERED_BYTES, type Method, type ProtocolShape } from './method.ts'

/** Answers to nothing asked that a peer may send on one stream before it is closed. */
const MAX_STRAY_RESPONSES = 16

/** What of libp2p's connection manager is used; a libp2p node's `dial` is one too. */
export interface ConnectionOpener {
  /** Resolves to an open connection, an existing one where there is one. */
  openConnection(peer: PeerId, options?: AbortOptions): Promise<Connection>
}

export interface RequestClientInit {
  protocol: string
  shape: ProtocolShape
  requestTimeoutMs: number
  maxPendingRequests: number
  idleTimeoutMs: number
}

export interface RequestClientComponents {
  connectionManager: ConnectionOpener
  clock: Clock
  onLatency: (ms: number) => void
  onMisbehaviour: (peerId: PeerIdText, reason: string) => void
}

/** Asks peers over one protocol: one stream a peer, opened at need and kept while it is used. */
export class RequestClient {
  readonly #init: RequestClientInit
  readonly #components: RequestClientComponents
  readonly #channels = new Map<PeerIdText, Channel>()
  #running = false

  constructor(init: RequestClientInit, components: RequestClientComponents) {
    this.#init = init
    this.#components = components
  }

  start(): void {
    this.#running = true
  }

  /** Every request that waits rejects with ERR_NOT_RUNNING. */
  stop(): void {
    this.#running = false
    for (const channel of [...this.#channels.values()]) channel.end(() => new NotRunningError())
  }

  /** Resolves to the result, or to undefined when the peer has none. @throws as `PackageProtocol` */
  async request<Params, Result>(
    peerId: PeerIdText,
    method: Method<Params, Result>,
    params: Params,
    options: ExchangeOptions = {}
  ): Promise<Result | undefined> {
    if (!this.#running) throw new NotRunningError()
    options.signal?.throwIfAborted()
    const encoded = method.encodeParams(params)
    const response = await this.#channel(peerId).request(method.name, encoded, options)
    switch (response.status) {
      case 'ok':
        try {
          return method.parseResult(response.result, params)
        } catch (cause) {
          const reason = `its answer to ${method.name} is malformed: ${messageOf(cause)}`
          this.#components.onMisbehaviour(peerId, reason)
          throw new ProtocolError(peerId, reason, cause)
        }
      case 'not-found':
        return undefined
      case 'busy':
        throw new PeerBusyError(peerId, method.name)
      case 'error':
        throw new RemoteError(peerId, method.name, response.error)
    }
  }

  #channel(peerId: PeerIdText): Channel {
    const known = this.#channels.get(peerId)
    if (known !== undefined) return known
    const channel: Channel = new Channel(peerId, this.#init, this.#components, () => {
      if (this.#channels.get(peerId) === channel) this.#channels.delete(peerId)
    })
    this.#channels.set(peerId, channel)
    channel.open()
    return channel
  }
}

interface Pending {
  id: number
  method: string
  /** Undefined once it is sent. */
  frame: Uint8Array | undefined
  bytes: number
  meter: TrafficMeter | undefined
  askedAtMs: number
  /** Undefined once the caller has given up; the place is kept until the peer has answered. */
  settle: { resolve: (response: ResponseMessage) => void; reject: (error: unknown) => void } | undefined
}

/** The stream to one peer with what was asked on it; used until it is lost, then replaced by another. */
class Channel {
  readonly #peerId: PeerIdText
  readonly #init: RequestClientInit
  readonly #components: RequestClientComponents
  readonly #onEnd: () => void
  readonly #opening = new AbortController()
  /** In the order of asking, so the first is due first. */
  readonly #pending = new Map<number, Pending>()
  #unsent: Pending[] = []
  #unansweredBytes = 0
  #frames: FramedStream | undefined
  #nextId = 1
  #strays = 0
  #lastUsedMs: number
  #timer: { dueMs: number; cancel: () => void } | undefined
  #ended = false

  constructor(
    peerId: PeerIdText,
    init: RequestClientInit,
    components: RequestClientComponents,
    onEnd: () => void
  ) {
    this.#peerId = peerId
    this.#init = init
    this.#components = components
    this.#onEnd = onEnd
    this.#lastUsedMs = components.clock.now()
  }

  open(): void {
    this.#open().catch((cause: unknown) => this.#lose(cause))
  }

  async #open(): Promise<void> {
    const { signal } = this.#opening
    const connection = await this.#components.connectionManager.openConnection(
      peerIdFromString(this.#peerId),
      { signal }
    )
    const stream = await connection.newStream(this.#init.protocol, { signal })
    if (this.#ended) {
      stream.abort(new Error('Nobody waits for this stream any more'))
      return
    }
    this.#frames = new FramedStream(
      {
        maxFrameBytes: this.#init.shape.maxResponseBytes,
        maxReadBufferBytes: this.#init.shape.maxResponseBytes,
        stallTimeoutMs: this.#init.requestTimeoutMs
      },
      {
        stream,
        clock: this.#components.clock,
        onFrame: (frame) => this.#take(frame),
        onEnd: () => this.#lose(new Error('The peer closed the stream')),
        onClose: (cause) => this.#lose(cause)
      }
    )
    this.#send()
  }

  request(method: string, params: unknown, { signal, meter }: ExchangeOptions): Promise<ResponseMessage> {
    if (this.#pending.size >= this.#init.maxPendingRequests) {
      throw new TooManyRequestsError(this.#peerId, this.#init.maxPendingRequests)
    }
    const id = this.#nextId
    const frame = encodeMessage({ id, method, params })
    if (frame.length > this.#init.shape.maxRequestBytes) {
      throw new InvalidValueError(
        method,
        `must have at most ${this.#init.shape.maxRequestBytes} bytes in all`
      )
    }
    this.#nextId += 1
    return new Promise((resolve, reject) => {
      const abandon = (): void => this.#abandon(pending, signal?.reason)
      const pending: Pending = {
        id,
        method,
        frame,
        bytes: frame.length,
        meter,
        askedAtMs: this.#components.clock.now(),
        settle: {
          resolve: (response) => {
            signal?.removeEventListener('abort', abandon)
            resolve(response)
          },
          reject: (error) => {
            signal?.removeEventListener('abort', abandon)
            reject(error)
          }
        }
      }
      signal?.addEventListener('abort', abandon)
      this.#pending.set(id, pending)
      this.#unsent.push(pending)
      this.#arm(pending.askedAtMs + this.#init.requestTimeoutMs)
      this.#send()
    })
  }

  #send(): void {
    if (this.#frames === undefined) return
    let sent = 0
    for (const pending of this.#unsent) {
      if (pending.frame === undefined) break
      if (this.#unansweredBytes + pending.bytes > MAX_UNANSWERED_BYTES) break
      this.#unansweredBytes += pending.bytes
      this.#frames.write(pending.frame)
      if (pending.meter !== undefined) pending.meter.sentBytes += framedBytes(pending.frame)
      pending.frame = undefined
      sent += 1
    }
    this.#unsent.splice(0, sent)
  }

  #abandon(pending: Pending, reason: unknown): void {
    const { settle } = pending
    pending.settle = undefined
    if (pending.frame !== undefined) {
      this.#pending.delete(pending.id)
      this.#unsent = this.#unsent.filter((other) => other !== pending)
    }
    settle?.reject(reason)
  }

  #take(frame: Uint8Array): void {
    let response: ResponseMessage
    try {
      response = parseResponse(frame)
    } catch (cause) {
      throw new FrameFault(`an answer is malformed: ${messageOf(cause)}`, { cause })
    }
    const pending = this.#pending.get(response.id)
    if (pending === undefined || pending.frame !== undefined) {
      this.#strays += 1
      if (this.#strays > MAX_STRAY_RESPONSES) throw new FrameFault('it answers what was not asked')
      return
    }
    this.#pending.delete(response.id)
    this.#unansweredBytes -= pending.bytes
    const nowMs = this.#components.clock.now()
    this.#lastUsedMs = nowMs
    if (pending.settle !== undefined) {
      this.#components.onLatency(nowMs - pending.askedAtMs)
      if (pending.meter !== undefined) {
        pending.meter.receivedBytes += framedBytes(frame)
        pending.meter.roundTrips += 1
      }
      pending.settle.resolve(response)
    }
    if (this.#unsent.length > 0) this.#send()
    if (this.#pending.size === 0) this.#arm(nowMs + this.#init.idleTimeoutMs)
  }

  /** One timer for all: it is set to the earliest time and looks, when it fires, what is due. */
  #arm(dueMs: number): void {
    if (this.#ended || (this.#timer !== undefined && this.#timer.dueMs <= dueMs)) return
    this.#timer?.cancel()
    const { clock } = this.#components
    const cancel = clock.schedule(() => {
      this.#timer = undefined
      this.#onTimer()
    }, dueMs - clock.now())
    this.#timer = { dueMs, cancel }
  }

  #onTimer(): void {
    const nowMs = this.#components.clock.now()
    const [first] = this.#pending.values()
    const dueMs =
      first === undefined
        ? this.#lastUsedMs + this.#init.idleTimeoutMs
        : first.askedAtMs + this.#init.requestTimeoutMs
    if (nowMs < dueMs) this.#arm(dueMs)
    else if (first !== undefined) this.#lose(new Error(`No answer to ${first.method} in time`))
    else this.#retire()
  }

  /** Ends an idle stream in peace: both sides have nothing to say. */
  #retire(): void {
    const frames = this.#frames
    this.#frames = undefined
    this.end(() => new NotRunningError())
    frames?.close()
  }

  /** A lost stream: what is overdue timed out, the rest could not be answered. */
  #lose(cause: unknown): void {
    const { clock, onMisbehaviour } = this.#components
    const overdueSinceMs = clock.now() - this.#init.requestTimeoutMs
    if (cause instanceof FrameFault && !this.#ended) onMisbehaviour(this.#peerId, cause.message)
    this.end(({ method, askedAtMs }) => {
      if (cause instanceof FrameFault) return new ProtocolError(this.#peerId, cause.message, cause)
      if (askedAtMs <= overdueSinceMs) {
        return new RequestTimeoutError(this.#peerId, method, this.#init.requestTimeoutMs)
      }
      return new PeerUnreachableError(this.#peerId, method, cause)
    })
  }

  /** Gives the stream up, and with it whatever was asked on it. */
  end(errorOf: (pending: Pending) => Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd()
    this.#timer?.cancel()
    this.#opening.abort()
    const waiting = [...this.#pending.values()]
    this.#pending.clear()
    this.#unsent = []
    this.#frames?.abort(new Error('The stream was given up'))
    for (const pending of waiting) {
      const { settle } = pending
      pending.settle = undefined
      settle?.reject(errorOf(pending))
    }
  }
}

/** With the length before it. */
function framedBytes(frame: Uint8Array): number {
  return frameLength(frame.length).length + frame.length
}

function messageOf(error: unknown): string {
  return isRegistryError(error) ? error.message : 'it is not readable'
}
