/** The smallest sample that at least `share` (0 to 1) of the samples do not exceed: the nearest-rank percentile. */
export function percentile(samples: readonly number[], share: number): number {
  if (!(share >= 0 && share <= 1)) throw new RangeError(`a share of ${share} is not between 0 and 1`)
  const sorted = samples.toSorted((a, b) => a - b)
  const value = sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)]
  if (value === undefined) throw new RangeError('there is no percentile of no samples')
  return value
}

export interface Distribution {
  p50: number
  p95: number
  p99: number
}

export function distribution(samples: readonly number[]): Distribution {
  return {
    p50: percentile(samples, 0.5),
    p95: percentile(samples, 0.95),
    p99: percentile(samples, 0.99)
  }
}

export interface Spread {
  /** Of an even number of samples the mean of the middle two. */
  median: number
  min: number
  max: number
}

export function spread(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const [min, max] = [sorted[0], sorted.at(-1)]
  const [below, above] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]]
  if (min === undefined || max === undefined || below === undefined || above === undefined) {
    throw new RangeError('there is no spread of no samples')
  }
  return { median: (below + above) / 2, min, max }
}
