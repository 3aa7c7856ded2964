/** The newest latencies, as many as it holds, and their percentiles. */
export class LatencyWindow {
  readonly #samples: Float64Array
  #count = 0

  constructor(size: number) {
    this.#samples = new Float64Array(size)
  }

  add(ms: number): void {
    this.#samples[this.#count % this.#samples.length] = ms
    this.#count += 1
  }

  /** All 0 while there is none; by the nearest rank. */
  percentiles(): { p50Ms: number; p95Ms: number; p99Ms: number; count: number } {
    const count = Math.min(this.#count, this.#samples.length)
    const sorted = this.#samples.slice(0, count).sort()
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * count) - 1)] ?? 0
    return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), count }
  }
}
