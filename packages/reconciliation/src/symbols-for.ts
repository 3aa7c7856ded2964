/** How many coded symbols to send first for this many differences, so that they nearly always decode. */
export function symbolsFor(differences: number): number {
  return Math.ceil(1.4 * differences + 3 * Math.sqrt(differences)) + 8
}
