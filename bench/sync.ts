import { createHash } from 'node:crypto'
import {
  decoder,
  estimateDifferences,
  SHORT_ID_BYTES,
  type Sketch,
  sketch,
  symbolsFor
} from '@registry/reconciliation'
import type { Benchmark, Report, RunOptions } from './benchmark.ts'
import { Negentropy, type NegentropyItem, type NegentropyResult, NegentropyStorage } from './negentropy.ts'
import { alternate, perSecond, timed } from './rounds.ts'

const ID_BYTES = 32
const YEAR_S = 365 * 24 * 60 * 60
const NEWEST_S = Date.UTC(2026, 7, 22) / 1000
/** Beside what the sketch makes, each first message has a scope, a fingerprint of 32 bytes, a count, and its length. */
const OPENING_BYTES = 48
/** Each later one a range of symbols and its length. */
const ASKING_BYTES = 8
/** The least to ask for once more: so many symbols in all, and so many times those that came. */
const LEAST_SYMBOLS = 64
const GROWTH = 1.25
const ADDS = 10_000

export const sync: Benchmark = {
  name: 'sync',
  description: 'what it takes to find out which records differ, beside range-based reconciliation',
  timeLimitMs: 60 * 60_000,
  async run(report, options) {
    for (const records of options.quick ? [2_000] : [10_000, 100_000, 1_000_000]) {
      const common = items(records, 'common', YEAR_S)
      await measurePreparing(common, report, options)
      for (const differences of options.quick ? [0, 100] : [0, 1, 100, 10_000]) {
        await measureSessions(common, differences, report, options)
      }
    }
  }
}

/** What is made once and kept: at a start, and with each record that comes. */
async function measurePreparing(
  common: readonly NegentropyItem[],
  report: Report,
  { signal, quick }: RunOptions
): Promise<void> {
  const name = label(common.length)
  report.progress(`${name}: prepare`)
  const packed = shortIds(common)
  const unsorted = common.toSorted((a, b) => Buffer.compare(a.id, b.id))
  const prepared = await alternate(
    quick ? 1 : 3,
    {
      ours: () => timed(() => sketch().addAll(packed)),
      negentropy: () => timed(() => new NegentropyStorage(unsorted)),
      'negentropy-sums': () => timed(() => new NegentropyStorage(unsorted, { sums: true }))
    },
    signal
  )
  report.comparison(`prepare-${name}`, 'ms', prepared)
  const kept = sketch()
  kept.addAll(packed)
  const added = items(ADDS, 'added', YEAR_S).map(({ id }) => id.subarray(0, SHORT_ID_BYTES))
  const adds = await alternate(
    quick ? 1 : 3,
    {
      ours: () =>
        perSecond(ADDS, () => {
          for (const id of added) kept.add(id)
        }).finally(() => {
          for (const id of added) kept.remove(id)
        })
    },
    signal
  )
  report.comparison(`keep-${name}`, 'records/s', adds)
}

/** Of one exchange, until the side that asks knows what only it has and what only the other has. */
interface Session {
  roundTrips: number
  sentBytes: number
  receivedBytes: number
  /** Work of one thread, without any wait for the network. */
  askingMs: number
  answeringMs: number
}

async function measureSessions(
  common: readonly NegentropyItem[],
  differences: number,
  report: Report,
  { signal, quick }: RunOptions
): Promise<void> {
  const name = `${label(common.length)}-${differences}`
  report.progress(`${name}: sessions`)
  const asking = sketch()
  const answering = sketch()
  asking.addAll(shortIds(common))
  answering.addAll(shortIds(common))
  const sessions = new Map<string, Session[]>()
  const keep = (subject: string, session: Session): number => {
    sessions.set(subject, [...(sessions.get(subject) ?? []), session])
    return session.roundTrips
  }
  /** The other records are on both sides, half of what differs on each. */
  const sides = (round: number, spanS: number): [NegentropyItem[], NegentropyItem[]] => [
    items(Math.floor(differences / 2), `asking ${round}`, spanS),
    items(Math.ceil(differences / 2), `answering ${round}`, spanS)
  ]
  const negentropy =
    (spanS: number, sums: boolean) =>
    async (round: number): Promise<number> => {
      const [mine, theirs] = sides(round, spanS)
      const [local, remote] = [mine, theirs].map(
        (own) => new NegentropyStorage([...common, ...own], { sums })
      )
      if (local === undefined || remote === undefined) throw new Error('there are two sides')
      const subject = spanS === YEAR_S ? 'negentropy' : 'negentropy-newest'
      const session = rangeSession(local, remote, [mine.length, theirs.length])
      return round < 0 ? 0 : keep(sums ? `${subject}-sums` : subject, session)
    }
  await alternate(
    quick ? 1 : common.length >= 1_000_000 ? 5 : 15,
    {
      ours: async (round) => {
        const [mine, theirs] = sides(round, YEAR_S)
        asking.addAll(shortIds(mine))
        answering.addAll(shortIds(theirs))
        const session = sketchSession(asking, answering, [mine.length, theirs.length])
        for (const { id } of mine) asking.remove(id.subarray(0, SHORT_ID_BYTES))
        for (const { id } of theirs) answering.remove(id.subarray(0, SHORT_ID_BYTES))
        return round < 0 ? 0 : keep('ours', session)
      },
      negentropy: negentropy(YEAR_S, false),
      'negentropy-sums': negentropy(YEAR_S, true),
      // What suits it best: all that differs lies together, as what was published in the last minutes does.
      ...(differences === 0 ? {} : { 'negentropy-newest-sums': negentropy(60, true) })
    },
    signal
  )
  const figures = (of: (session: Session) => number): Map<string, number[]> =>
    new Map([...sessions].map(([subject, all]) => [subject, all.map(of)]))
  report.comparison(
    `round-trips-${name}`,
    'round trips',
    figures(({ roundTrips }) => roundTrips)
  )
  report.comparison(
    `bytes-${name}`,
    'B',
    figures(({ sentBytes, receivedBytes }) => sentBytes + receivedBytes)
  )
  for (const [subject, all] of sessions) {
    const own = (metric: 'sentBytes' | 'receivedBytes'): number[] => all.map((session) => session[metric])
    report.spread(`bytes-sent-${name}`, subject, 'B', own('sentBytes'))
    report.spread(`bytes-received-${name}`, subject, 'B', own('receivedBytes'))
  }
  report.comparison(
    `cpu-asking-${name}`,
    'ms',
    figures(({ askingMs }) => askingMs)
  )
  report.comparison(
    `cpu-answering-${name}`,
    'ms',
    figures(({ answeringMs }) => answeringMs)
  )
}

/** As two peers do it, but for the network. Neither sketch is changed. */
function sketchSession(local: Sketch, remote: Sketch, [mine, theirs]: readonly [number, number]): Session {
  const meter = new Meter()
  const probes = meter.asking(() => local.probes())
  meter.sent(OPENING_BYTES + probes.length)
  if (mine + theirs === 0) {
    // Both know the fingerprints of their sets.
    meter.received(OPENING_BYTES)
    return meter.session()
  }
  let count = 0
  let symbols = meter.answering(() => {
    const estimate = estimateDifferences(remote.probes(), probes)
    count = Math.min(symbolsFor(estimate), remote.capacity)
    return remote.symbols(0, count)
  })
  meter.received(OPENING_BYTES + symbols.length)
  const found = meter.asking(() => decoder())
  for (;;) {
    const from = found.received
    meter.asking(() => found.add(local.symbols(from, count), symbols))
    if (found.done) break
    const next = from + count
    if (found.failed || next >= remote.capacity) throw new Error('the differences were not found')
    const needed = Math.max(found.needed, Math.ceil(next * GROWTH), LEAST_SYMBOLS)
    count = Math.min(needed, remote.capacity) - next
    meter.sent(ASKING_BYTES)
    symbols = meter.answering(() => remote.symbols(next, count))
    meter.received(ASKING_BYTES + symbols.length)
  }
  expectFound(found.onlyLocal.length / SHORT_ID_BYTES, mine)
  expectFound(found.onlyRemote.length / SHORT_ID_BYTES, theirs)
  return meter.session()
}

function rangeSession(
  local: NegentropyStorage,
  remote: NegentropyStorage,
  [mine, theirs]: readonly [number, number]
): Session {
  const meter = new Meter()
  const [asking, answering] = [new Negentropy(local), new Negentropy(remote)]
  let [have, need] = [0, 0]
  let message: Uint8Array | undefined = meter.asking(() => asking.initiate())
  while (message !== undefined) {
    const question: Uint8Array = message
    meter.sent(question.length)
    const answer: Uint8Array =
      meter.answering(() => answering.reconcile(question)).message ?? new Uint8Array()
    meter.received(answer.length)
    const result: NegentropyResult = meter.asking(() => asking.reconcile(answer))
    have += result.have.length
    need += result.need.length
    message = result.message
  }
  expectFound(have, mine)
  expectFound(need, theirs)
  return meter.session()
}

class Meter {
  readonly #session: Session = { roundTrips: 0, sentBytes: 0, receivedBytes: 0, askingMs: 0, answeringMs: 0 }

  asking<T>(act: () => T): T {
    const startedMs = performance.now()
    const result = act()
    this.#session.askingMs += performance.now() - startedMs
    return result
  }

  answering<T>(act: () => T): T {
    const startedMs = performance.now()
    const result = act()
    this.#session.answeringMs += performance.now() - startedMs
    return result
  }

  sent(bytes: number): void {
    this.#session.roundTrips += 1
    this.#session.sentBytes += bytes
  }

  received(bytes: number): void {
    this.#session.receivedBytes += bytes
  }

  session(): Session {
    return this.#session
  }
}

function expectFound(found: number, expected: number): void {
  if (found !== expected) throw new Error(`found ${found} differences of ${expected}`)
}

/** Records as a time of the last `spanS` seconds and a digest, in order; the same for the same seed. */
function items(count: number, seed: string, spanS: number): NegentropyItem[] {
  const bytes = createHash('shake256', { outputLength: count * (ID_BYTES + 4) })
    .update(`items ${seed}`)
    .digest()
  return Array.from({ length: count }, (_, at) => ({
    time: NEWEST_S - (bytes.readUInt32LE(count * ID_BYTES + at * 4) % spanS),
    id: new Uint8Array(bytes.buffer, bytes.byteOffset + at * ID_BYTES, ID_BYTES)
  })).sort((a, b) => a.time - b.time || Buffer.compare(a.id, b.id))
}

/** The first 16 bytes of each digest, one after the other. */
function shortIds(of: readonly NegentropyItem[]): Uint8Array {
  const packed = new Uint8Array(of.length * SHORT_ID_BYTES)
  for (const [at, { id }] of of.entries()) packed.set(id.subarray(0, SHORT_ID_BYTES), at * SHORT_ID_BYTES)
  return packed
}

function label(records: number): string {
  return records >= 1_000_000 ? `${records / 1_000_000}m` : `${records / 1000}k`
}
