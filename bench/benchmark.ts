import { distribution, spread } from './statistics.ts'

/** One figure. `subject` is ours, or what ours is compared with in the same run. */
export interface Row {
  bench: string
  /** What was done, such as `search-warm`. */
  case: string
  subject: string
  /**
   * What of the samples the value is: `p50`, `median`, `max`, or `target` of a figure that was stated, not measured.
   * `median/raw` is that of ours divided by that of the subject `raw`. Of what was not measured, why: one of `UNMEASURED`.
   */
  metric: string
  /** Null where there is nothing to tell but the metric. */
  value: number | null
  unit: string
  /** How many samples the value is made from; 0 of a target and of what was not measured. */
  n: number
}

/**
 * Why there is no figure: the subject is not on this machine, does not do this at all, or was ended because it took more
 * time or memory than the limit that is the value.
 */
export const UNMEASURED = ['not-installed', 'not-supported', 'over-time', 'over-memory'] as const
export type Unmeasured = (typeof UNMEASURED)[number]

export interface RunOptions {
  /** Aborts when the person or the time limit ends the run; everything that was started is then stopped all the same. */
  signal: AbortSignal
  /** Few samples: shows that the benchmark works, not how fast anything is. */
  quick: boolean
  /** Also the sizes that take long. */
  large: boolean
}

export interface Benchmark {
  readonly name: string
  /** One line for the list. */
  readonly description: string
  /** When it takes longer it is ended. @default fifteen minutes */
  readonly timeLimitMs?: number
  /** Leaves nothing behind, neither processes nor files, also when it rejects. */
  run(report: Report, options: RunOptions): Promise<void>
}

/** Where a benchmark puts its figures, and the forms most of them have. */
export class Report {
  readonly #bench: string
  readonly #onRow: (row: Row) => void
  readonly #onProgress: (text: string) => void

  constructor(bench: string, output: { onRow: (row: Row) => void; onProgress: (text: string) => void }) {
    this.#bench = bench
    this.#onRow = output.onRow
    this.#onProgress = output.onProgress
  }

  /** Tells the person who waits what is being done now. */
  progress(text: string): void {
    this.#onProgress(text)
  }

  row(row: Omit<Row, 'bench'>): void {
    const value = row.value === null ? null : Number(row.value.toPrecision(5))
    const { case: name, subject, metric, unit, n } = row
    this.#onRow({ bench: this.#bench, case: name, subject, metric, value, unit, n })
  }

  /** Says why a subject has no figure, with the limit it went over. */
  unmeasured(name: string, subject: string, why: Unmeasured, limit?: { value: number; unit: string }): void {
    this.row({
      case: name,
      subject,
      metric: why,
      value: limit?.value ?? null,
      unit: limit?.unit ?? 'none',
      n: 0
    })
  }

  /** How long one thing took, many times: p50, p95 and p99. */
  latencies(name: string, subject: string, samplesMs: readonly number[]): void {
    const n = samplesMs.length
    for (const [metric, value] of Object.entries(distribution(samplesMs))) {
      this.row({ case: name, subject, metric, value, unit: 'ms', n })
    }
  }

  /** The rounds of several subjects, and of `ours` divided by each other one round by round. */
  comparison(name: string, unit: string, samples: ReadonlyMap<string, readonly number[]>): void {
    for (const [subject, values] of samples) this.spread(name, subject, unit, values)
    const ours = samples.get('ours')
    if (ours === undefined) return
    for (const [subject, values] of samples) {
      if (subject === 'ours') continue
      const ratios = values.map((value, round) => (ours[round] ?? Number.NaN) / value)
      for (const [metric, value] of Object.entries(spread(ratios)))
        this.#ratio(name, metric, subject, value, ratios)
    }
  }

  /** Median, least and greatest of a few figures, such as one a round. */
  spread(name: string, subject: string, unit: string, samples: readonly number[]): void {
    for (const [metric, value] of Object.entries(spread(samples))) {
      this.row({ case: name, subject, metric, value, unit, n: samples.length })
    }
  }

  /** A bound that somebody stated without saying of which percentile, and the samples' p99 divided by it. */
  target(name: string, subject: string, targetMs: number, samplesMs: readonly number[]): void {
    this.row({ case: name, subject, metric: 'target', value: targetMs, unit: 'ms', n: 0 })
    const { p99 } = distribution(samplesMs)
    this.#ratio(name, 'p99', subject, p99 / targetMs, samplesMs)
  }

  /** What was measured of ours and of another in each round, divided: `p99-median/raw` when the metric is `p99`. */
  ratios(name: string, metric: string, to: string, ratios: readonly number[]): void {
    for (const [of, value] of Object.entries(spread(ratios))) {
      this.#ratio(name, `${metric}-${of}`, to, value, ratios)
    }
  }

  #ratio(name: string, metric: string, to: string, value: number, { length: n }: readonly number[]): void {
    this.row({ case: name, subject: 'ours', metric: `${metric}/${to}`, value, unit: 'ratio', n })
  }
}
