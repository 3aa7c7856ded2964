import type { RegistryStore } from '@registry/types'
import type { ManualClock } from '../manual-clock.ts'

/** What a contract suite is given: the implementation's name, and how a test gets a fresh one. */
export interface Contract<Subject, Options = void> {
  name: string
  /** Called once a test, often with what the test wants around the subject; the test disposes of what it gives. */
  create: (options: Options) => Promise<Subject>
}

/** A started store with the clock it was given. */
export interface StoreSubject extends AsyncDisposable {
  store: RegistryStore
  clock: ManualClock
  /** Flips a bit of a stored block, past the store. */
  damageBlock(cid: string): Promise<void>
}

export interface StoreOptions {
  quotaBytes?: number
}

/** A stream that gives `bytes` in pieces of `pieceBytes`. */
export async function* streamOf(
  bytes: Uint8Array,
  pieceBytes: number = bytes.length
): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes)
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}

export async function listOf<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

/** What a call rejected with, to be matched on its `code` and `retryable`. Fails when it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`Expected a rejection, but it resolved to ${JSON.stringify(value)}`)
}
