/** The wait before the next attempt: `firstMs` after the first failure, twice as long after each, never over `maxMs`. */
export function backOffMs(failures: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(30, Math.max(0, failures - 1)))
}
