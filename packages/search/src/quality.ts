import type { ScoreExplanation } from '@registry/types'

/** What is known of a package beside its words, as it is stored. */
export interface QualitySignals {
  dependents: number
  /** At most 65,535. */
  providers: number
  /** Seconds since the epoch. */
  updatedS: number
  /** From 0 to 255. */
  trust: number
}

type QualityShares = Omit<ScoreExplanation['quality'], 'factor'>

const WEIGHTS: Readonly<QualityShares> = Object.freeze({
  dependents: 0.65,
  providers: 0.12,
  recency: 0.1,
  trust: 0.13
})
/** Counts from which more makes no difference. */
const MANY_DEPENDENTS = 4095
const MANY_PROVIDERS = 1023
/**
 * Recency grows evenly between these, so that of two packages the same one is the fresher at all times, and neither a
 * clock nor another package changes the quality of one. 2010-01-01 and 2040-01-01.
 */
const FIRST_UPDATE_S = 1_262_304_000
const LAST_UPDATE_S = 2_208_988_800

/** What the factor grows by from the least quality to the most. */
const RANGE = 3
export const MAX_QUALITY = 255

/** Each signal as a share from 0 to 1. */
export function qualitySharesOf(signals: QualitySignals): QualityShares {
  const recency = (signals.updatedS - FIRST_UPDATE_S) / (LAST_UPDATE_S - FIRST_UPDATE_S)
  return {
    dependents: Math.min(1, Math.log2(1 + signals.dependents) / Math.log2(1 + MANY_DEPENDENTS)),
    providers: Math.min(1, Math.log2(1 + signals.providers) / Math.log2(1 + MANY_PROVIDERS)),
    recency: Math.min(1, Math.max(0, recency)),
    trust: signals.trust / 255
  }
}

/** From 0 to `MAX_QUALITY`: a function of the package alone. */
export function qualityOf(signals: QualitySignals): number {
  const shares = qualitySharesOf(signals)
  const sum =
    WEIGHTS.dependents * shares.dependents +
    WEIGHTS.providers * shares.providers +
    WEIGHTS.recency * shares.recency +
    WEIGHTS.trust * shares.trust
  return Math.min(MAX_QUALITY, Math.round(MAX_QUALITY * sum))
}

/** What the words of a package count for, by its quality. */
export function factorOf(quality: number): number {
  return 1 + (RANGE * quality) / MAX_QUALITY
}
