/**
 * Runs `step` again and again, so many times at once, until it has nothing more to do, which it says by false. Ends when all
 * have ended, also when one of them fails; then nothing is begun any more, and it rejects with the first failure.
 */
export async function inTurns(atOnce: number, step: () => Promise<boolean>): Promise<void> {
  let failed = false
  const work = async (): Promise<void> => {
    try {
      while (!failed && (await step()));
    } catch (error) {
      failed = true
      throw error
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, work))
  const failure = ends.find((end) => end.status === 'rejected')
  if (failure !== undefined) throw failure.reason
}
