/**
 * How many coded symbols to send first to a peer that is estimated to differ by so many short IDs: 1.5 for each, and more
 * for the chance of decoding and for that of the estimate.
 */
export function symbolsFor(differences: number): number {
  return Math.ceil(1.5 * differences + 5 * Math.sqrt(differences)) + 8
}
