import { InvalidSymbolsError } from './errors.ts'
import { membership } from './mapping.ts'
import { MAX_PROBE_BYTES, PROBED } from './probes.ts'

/** Twice the symbols that are probed: beyond, all probes look alike. */
const MOST = 131_072
/** The estimate is then exact to a thousandth. */
const SECTIONS = 20
const GOLDEN = (Math.sqrt(5) - 1) / 2

/**
 * How many short IDs only one of two sets has, as their probes show it: the number that makes these probes most likely.
 * Of capacities that differ, those symbols count that both have. 0 when all of them agree; at most 131,072. Above some
 * 40,000 it is not to be relied on.
 *
 * @throws {InvalidSymbolsError} ERR_INVALID_SYMBOLS, probes of more than 40 bytes
 */
export function estimateDifferences(localProbes: Uint8Array, remoteProbes: Uint8Array): number {
  if (localProbes.length > MAX_PROBE_BYTES || remoteProbes.length > MAX_PROBE_BYTES) {
    throw new InvalidSymbolsError(`probes are at most ${MAX_PROBE_BYTES} bytes`)
  }
  const agreeing: boolean[] = []
  const bytes = Math.min(localProbes.length, remoteProbes.length)
  for (let at = 0; at < bytes * 8; at++) {
    const difference = (localProbes[at >> 3] ?? 0) ^ (remoteProbes[at >> 3] ?? 0)
    agreeing.push(((difference >> (at & 7)) & 1) === 0)
  }
  if (agreeing.every(Boolean)) return 0

  // Golden section on the logarithmic scale. Where the likelihood has two maxima at all, they lie close together.
  let low = 0
  let high = Math.log(MOST)
  let left = high - GOLDEN * (high - low)
  let right = low + GOLDEN * (high - low)
  let atLeft = logLikelihood(agreeing, Math.exp(left))
  let atRight = logLikelihood(agreeing, Math.exp(right))
  for (let section = 0; section < SECTIONS; section++) {
    if (atLeft < atRight) {
      low = left
      left = right
      atLeft = atRight
      right = low + GOLDEN * (high - low)
      atRight = logLikelihood(agreeing, Math.exp(right))
    } else {
      high = right
      right = left
      atRight = atLeft
      left = high - GOLDEN * (high - low)
      atLeft = logLikelihood(agreeing, Math.exp(left))
    }
  }
  return Math.round(Math.exp((low + high) / 2))
}

/** Up to a constant. */
function logLikelihood(agreeing: readonly boolean[], differences: number): number {
  let sum = 0
  agreeing.forEach((agrees, at) => {
    // No differing ID is in the symbol, so the bits agree; else they agree half of the time.
    const untouched = (1 - membership(PROBED[at] ?? 0)) ** differences
    sum += Math.log(agrees ? 1 + untouched : 1 - untouched)
  })
  return sum
}
