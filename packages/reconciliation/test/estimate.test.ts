import { describe, expect, it } from 'vitest'
import { decoder, estimateDifferences, type Sketch, symbolsFor } from '../src/index.ts'
import { shortIds, sketchOf } from './short-ids.ts'

/** Two sets that differ by so many IDs, half of them on either side: what they share cancels out. */
function pair(label: string, differences: number): [Sketch, Sketch] {
  const ids = shortIds(`${label} ${differences}`, differences)
  const half = Math.floor(differences / 2) * 16
  return [sketchOf(ids.subarray(0, half)), sketchOf(ids.subarray(half))]
}

describe('estimateDifferences', () => {
  it.each([
    [1, 100, 3],
    [10, 100, 2],
    [100, 100, 1.8],
    [1000, 60, 1.8],
    [10_000, 20, 2.2]
  ])('is near %i in the median and rarely further off', (differences, seeds, farthest) => {
    const ratios: number[] = []
    for (let seed = 0; seed < seeds; seed++) {
      const [local, remote] = pair(`estimate ${seed}`, differences)
      ratios.push(estimateDifferences(local.probes(), remote.probes()) / differences)
    }
    ratios.sort((one, other) => one - other)
    const at = (share: number): number => ratios[Math.floor(share * ratios.length)] ?? Number.NaN
    expect(at(0.5)).toBeGreaterThan(0.8)
    expect(at(0.5)).toBeLessThan(1.25)
    expect(at(0.05)).toBeGreaterThan(1 / farthest)
    expect(at(0.95)).toBeLessThan(farthest)
  })

  it('is 0 for equal sets, and the same whatever two sets share', () => {
    const shared = shortIds('shared', 500)
    const [local, remote] = pair('shared', 80)
    expect(estimateDifferences(local.probes(), local.probes())).toBe(0)
    const estimate = estimateDifferences(local.probes(), remote.probes())
    local.addAll(shared)
    remote.addAll(shared)
    expect(estimateDifferences(local.probes(), remote.probes())).toBe(estimate)
    expect(estimateDifferences(remote.probes(), local.probes())).toBe(estimate)
  })

  it('takes the probes of the smaller of two capacities', () => {
    const ids = shortIds('capacities', 20)
    const estimate = estimateDifferences(
      sketchOf(new Uint8Array(0)).probes(),
      sketchOf(ids, { capacity: 512 }).probes()
    )
    expect(estimate).toBeGreaterThan(7)
    expect(estimate).toBeLessThan(60)
  })

  it('is large where there are more than any sketch can decode, which a thousand symbols tell for sure', () => {
    const [local, remote] = pair('many', 200_000)
    expect(estimateDifferences(local.probes(), remote.probes())).toBeGreaterThan(10_000)
    const decoding = decoder()
    decoding.add(local.symbols(0, 1000), remote.symbols(0, 1000))
    expect(decoding.needed).toBeGreaterThan(3 * local.capacity)
  })
})

describe('symbolsFor', () => {
  it.each([
    [1, 200],
    [5, 200],
    [30, 200],
    [200, 100],
    [2000, 20]
  ])('is enough for %i differences nearly always', (differences, seeds) => {
    let failures = 0
    for (let seed = 0; seed < seeds; seed++) {
      const [local, remote] = pair(`enough ${seed}`, differences)
      const decoding = decoder()
      const count = symbolsFor(differences)
      decoding.add(local.symbols(0, count), remote.symbols(0, count))
      if (!decoding.done) failures++
    }
    expect(failures).toBeLessThanOrEqual(seeds / 50)
  })

  it('grows by about 1.5 a difference', () => {
    expect(symbolsFor(0)).toBeGreaterThan(0)
    expect(symbolsFor(10_000) / 10_000).toBeLessThan(1.6)
    expect(Number.isInteger(symbolsFor(7))).toBe(true)
  })
})
