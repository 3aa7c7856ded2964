/**
 * Runs every subject once a round, first to last and then last to first, so that a machine that warms up or gets busy
 * does so to all alike. A round before the first is run and not counted. Resolves to each subject's result by round.
 */
export async function alternate(
  rounds: number,
  subjects: Readonly<Record<string, (round: number) => Promise<number>>>,
  signal: AbortSignal
): Promise<Map<string, number[]>> {
  const names = Object.keys(subjects)
  const results = new Map(names.map((name): [string, number[]] => [name, []]))
  for (let round = -1; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      signal.throwIfAborted()
      const result = await subjects[name]?.(round)
      if (round >= 0 && result !== undefined) results.get(name)?.push(result)
    }
  }
  return results
}

/** How often a second `count` things are done when `act` does them all. */
export async function perSecond(count: number, act: () => Promise<unknown> | unknown): Promise<number> {
  return (count * 1000) / (await timed(act))
}

/** How many milliseconds it takes. */
export async function timed(act: () => Promise<unknown> | unknown): Promise<number> {
  const startedMs = performance.now()
  await act()
  return performance.now() - startedMs
}
