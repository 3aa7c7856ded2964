import type { Connection, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import type { Libp2p } from 'libp2p'
import { pEvent } from 'p-event'

/** Answers each length-prefixed frame with one of a fixed size, in order, until the asker closes. */
const REQUEST = '/bench/raw/request/1.0.0'
/** Sends a content as soon as it is opened. */
const TRANSFER = '/bench/raw/transfer/1.0.0'
const CHUNK_BYTES = 64 * 1024
/** A stream counts until both ends have closed it, some time after its answer has come. */
const MAX_STREAMS = 1024

/** What libp2p alone does: the serving side of both raw protocols. */
export async function serveRaw(
  node: Libp2p,
  { answer, content }: { answer: Uint8Array; content: Uint8Array }
): Promise<void> {
  await node.handle(
    REQUEST,
    async (stream) => {
      const frames = lpStream(stream)
      for (;;) {
        try {
          await frames.read()
        } catch {
          // The asker has closed its side.
          break
        }
        await frames.write(answer)
      }
      await stream.close()
    },
    { maxInboundStreams: MAX_STREAMS }
  )
  await node.handle(TRANSFER, async (stream) => {
    for (let at = 0; at < content.length; at += CHUNK_BYTES) {
      if (!stream.send(content.subarray(at, at + CHUNK_BYTES))) {
        await pEvent(stream, 'drain', { rejectionEvents: ['close'] })
      }
    }
    await stream.close()
  })
}

/** A stream that stays open, on which requests follow each other without waiting for answers. */
export async function openPipeline(connection: Connection): Promise<{
  /** Asks `count` times with `atOnce` on their way. */
  ask(request: Uint8Array, options: { count: number; atOnce: number; signal: AbortSignal }): Promise<void>
  close(): Promise<void>
}> {
  const stream = await connection.newStream(REQUEST)
  const frames = lpStream(stream)
  return {
    ask: async (request, { count, atOnce, signal }) => {
      for (let sent = 0; sent < Math.min(atOnce, count); sent++) await frames.write(request, { signal })
      for (let answered = 0; answered < count; answered++) {
        await frames.read({ signal })
        if (answered + atOnce < count) await frames.write(request, { signal })
      }
    },
    close: () => stream.close()
  }
}

/** One request on a stream of its own. */
export async function askOnce(
  connection: Connection,
  request: Uint8Array,
  signal: AbortSignal
): Promise<void> {
  const stream = await connection.newStream(REQUEST, { signal, maxOutboundStreams: MAX_STREAMS })
  const frames = lpStream(stream)
  await frames.write(request, { signal })
  await frames.read({ signal })
  await stream.close({ signal })
}

/** The content as it comes. */
export async function* pull(connection: Connection, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stream: Stream = await connection.newStream(TRANSFER, { signal })
  for await (const chunk of stream) yield chunk instanceof Uint8Array ? chunk : chunk.subarray()
  await stream.close({ signal })
}
