import type { Clock, ContentId, Outbox, OutboxEntry, RecordId } from '@registry/types'

/** The outbox of `memoryStore`. */
export class MemoryOutbox implements Outbox {
  readonly #clock: Clock
  readonly #entries = new Map<number, { entry: OutboxEntry; dueMs: number }>()
  #sequence = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(record: RecordId, content?: ContentId): void {
    this.#sequence += 1
    const duty = { sequence: this.#sequence, record, attempts: 0, pushed: false, provided: false }
    const entry = content === undefined ? duty : { ...duty, content }
    this.#entries.set(entry.sequence, { entry, dueMs: this.#clock.now() })
  }

  due({ nowMs, limit }: { nowMs: number; limit: number }): OutboxEntry[] {
    const due = [...this.#entries.values()].filter(({ dueMs }) => dueMs <= nowMs)
    return due.slice(0, limit).map(({ entry }) => ({ ...entry }))
  }

  nextDueMs(): number | undefined {
    const times = [...this.#entries.values()].map(({ dueMs }) => dueMs)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  record(sequence: number, progress: { pushed: boolean; provided: boolean; nextAttemptMs: number }): void {
    const known = this.#entries.get(sequence)
    if (known === undefined) return
    const { pushed, provided, nextAttemptMs } = progress
    if (pushed && provided) {
      this.#entries.delete(sequence)
      return
    }
    known.entry = { ...known.entry, attempts: known.entry.attempts + 1, pushed, provided }
    known.dueMs = nextAttemptMs
  }

  get size(): number {
    return this.#entries.size
  }
}
