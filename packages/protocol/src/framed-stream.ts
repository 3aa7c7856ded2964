import type { Stream } from '@libp2p/interface'
import type { Clock } from '@registry/types'
import { pEvent } from 'p-event'
import { FrameDecoder, frameLength } from './frame-decoder.ts'

/** Written at once; more waits in the queue here, where it can be bounded, and not in the muxer. */
const WRITE_BYTES = 64 * 1024
/** Kept unread here while held; the rest stays with the muxer, which in turn stops the peer. */
const HELD_BYTES = 64 * 1024

export interface FramedStreamInit {
  /** Longest frame that may come in. */
  maxFrameBytes: number
  /** Most bytes that may wait to be read while held, where a transport cannot stop the peer. */
  maxReadBufferBytes: number
  /** A write that the peer does not take for so long ends the stream. */
  stallTimeoutMs: number
}

export interface FramedStreamComponents {
  stream: Stream
  clock: Clock
  /** Takes one frame; called in order, never while held. What it throws ends the stream. */
  onFrame: (frame: Uint8Array) => void
  /** Called at most once: the peer will send no more, and every frame was taken. */
  onEnd: () => void
  /** Called exactly once: the stream is gone. Without an error it was closed on both sides. */
  onClose: (error?: Error) => void
}

/**
 * Frames over one libp2p stream, both ways, in bounded memory: reading can be held, and a write says when the peer has
 * taken it.
 */
export class FramedStream {
  readonly #stream: Stream
  readonly #clock: Clock
  readonly #components: FramedStreamComponents
  readonly #decoder: FrameDecoder
  readonly #stallTimeoutMs: number
  #queue: Uint8Array[] = []
  #flushing: Promise<void> | undefined
  #cancelClosing: (() => void) | undefined
  #held = false
  #remoteEnded = false
  #ended = false
  #closed = false

  constructor(init: FramedStreamInit, components: FramedStreamComponents) {
    this.#stream = components.stream
    this.#clock = components.clock
    this.#components = components
    this.#decoder = new FrameDecoder(init.maxFrameBytes)
    this.#stallTimeoutMs = init.stallTimeoutMs
    this.#stream.maxReadBufferLength = init.maxReadBufferBytes
    this.#stream.addEventListener('close', (event) => this.#onClose(event.error))
    this.#stream.addEventListener('remoteCloseWrite', () => {
      this.#remoteEnded = true
      this.#read()
    })
    this.#stream.addEventListener('message', ({ data }) => {
      this.#decoder.push(data.subarray())
      this.#read()
    })
    // Either end may have come before anybody listened.
    this.#remoteEnded = this.#stream.remoteWriteStatus !== 'writable'
    queueMicrotask(() => {
      if (this.#stream.status !== 'open') this.#onClose()
      else if (this.#remoteEnded) this.#read()
    })
  }

  /** Takes no frames until `release`. What the peer sends meanwhile is bounded, and where possible it is made to wait. */
  hold(): void {
    this.#held = true
  }

  release(): void {
    if (!this.#held) return
    this.#held = false
    this.#read()
  }

  /** Sends a frame. Resolves when the peer has room for more, or when the stream is gone; never rejects. */
  write(frame: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#queue.push(frameLength(frame.length), frame)
    this.#flushing ??= this.#flush()
    return this.#flushing
  }

  /** Sends what was written and ends this side, then waits for the peer to end its own, though not for ever. */
  async close(): Promise<void> {
    await this.#flushing
    if (this.#closed) return
    this.#cancelClosing ??= this.#clock.schedule(
      () => this.abort(new Error('The peer kept its side of a stream open')),
      this.#stallTimeoutMs
    )
    try {
      await this.#stream.close()
    } catch (error) {
      this.abort(asError(error))
    }
  }

  abort(error: Error): void {
    this.#stream.abort(error)
    this.#onClose(error)
  }

  #read(): void {
    try {
      this.#takeFrames()
      // A stream whose connection is gone may throw at either.
      if (this.#held) this.#pause()
      else this.#resume()
    } catch (error) {
      this.abort(asError(error))
    }
    if (
      this.#remoteEnded &&
      !this.#held &&
      !this.#ended &&
      !this.#closed &&
      this.#stream.readBufferLength === 0
    ) {
      this.#ended = true
      this.#components.onEnd()
    }
  }

  #takeFrames(): void {
    while (!this.#held && !this.#closed) {
      const frame = this.#decoder.next()
      if (frame === undefined) break
      this.#components.onFrame(frame)
    }
  }

  #pause(): void {
    if (this.#decoder.bufferedBytes > HELD_BYTES && this.#stream.readStatus === 'readable')
      this.#stream.pause()
  }

  #resume(): void {
    if (this.#stream.readStatus === 'paused') this.#stream.resume()
  }

  async #flush(): Promise<void> {
    // Takes along what else is written in this turn.
    await undefined
    try {
      while (this.#queue.length > 0) {
        if (!this.#stream.send(this.#takeWrite())) await this.#drained()
      }
    } catch (error) {
      this.abort(asError(error))
    } finally {
      this.#flushing = undefined
    }
  }

  #takeWrite(): Uint8Array {
    const parts: Uint8Array[] = []
    let size = 0
    let taken = 0
    for (const part of this.#queue) {
      const room = WRITE_BYTES - size
      if (part.length > room) {
        if (room > 0) parts.push(part.subarray(0, room))
        this.#queue[taken] = part.subarray(room)
        break
      }
      parts.push(part)
      size += part.length
      taken += 1
    }
    this.#queue.splice(0, taken)
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
  }

  async #drained(): Promise<void> {
    const cancel = this.#clock.schedule(
      () => this.abort(new Error(`The peer took nothing for ${this.#stallTimeoutMs} ms`)),
      this.#stallTimeoutMs
    )
    try {
      // Not `stream.onDrain()`: its promise is made once, so it would not wait a second time.
      while (this.#stream.writableNeedsDrain)
        await pEvent(this.#stream, 'drain', { rejectionEvents: ['close'] })
    } finally {
      cancel()
    }
  }

  #onClose(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#queue = []
    this.#cancelClosing?.()
    this.#components.onClose(error)
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
