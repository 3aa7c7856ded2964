import { describe, expect, it } from 'vitest'
import { distribution, percentile, spread } from '../statistics.ts'

const hundred = Array.from({ length: 100 }, (_, index) => ((index * 37) % 100) + 1)

describe('percentile', () => {
  it('is the smallest sample that the given share does not exceed, in whatever order the samples come', () => {
    expect(percentile(hundred, 0.5)).toBe(50)
    expect(percentile(hundred, 0.99)).toBe(99)
    expect(percentile(hundred, 1)).toBe(100)
    expect(percentile(hundred, 0)).toBe(1)
    expect(percentile([3, 1, 2], 0.5)).toBe(2)
    expect(percentile([7], 0.99)).toBe(7)
  })

  it('leaves its samples as they were', () => {
    const samples = [3, 1, 2]
    percentile(samples, 0.5)
    expect(samples).toEqual([3, 1, 2])
  })

  it('refuses no samples and what is no share', () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError)
    expect(() => percentile([1], 1.1)).toThrow(RangeError)
    expect(() => percentile([1], Number.NaN)).toThrow(RangeError)
  })
})

describe('distribution', () => {
  it('takes the middle and both tails', () => {
    expect(distribution(hundred)).toEqual({ p50: 50, p95: 95, p99: 99 })
  })
})

describe('spread', () => {
  it('takes the ends and the middle', () => {
    expect(spread([5, 1, 4])).toEqual({ min: 1, median: 4, max: 5 })
    expect(spread([1, 2, 4, 10])).toEqual({ min: 1, median: 3, max: 10 })
  })

  it('refuses no samples', () => {
    expect(() => spread([])).toThrow(RangeError)
  })
})
