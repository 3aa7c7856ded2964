import { describe, expect, it } from 'vitest'
import { LatencyWindow } from '../src/latency-window.ts'

describe('LatencyWindow', () => {
  it('has nothing to tell at first', () => {
    expect(new LatencyWindow(10).percentiles()).toEqual({ p50Ms: 0, p95Ms: 0, p99Ms: 0, count: 0 })
  })

  it('tells the percentiles by the nearest rank', () => {
    const window = new LatencyWindow(1000)
    for (let ms = 100; ms >= 1; ms--) window.add(ms)
    expect(window.percentiles()).toEqual({ p50Ms: 50, p95Ms: 95, p99Ms: 99, count: 100 })
  })

  it('forgets the oldest', () => {
    const window = new LatencyWindow(3)
    for (const ms of [1000, 1000, 1, 2, 3]) window.add(ms)
    expect(window.percentiles()).toEqual({ p50Ms: 2, p95Ms: 3, p99Ms: 3, count: 3 })
  })
})
