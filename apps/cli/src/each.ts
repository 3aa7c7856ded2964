import { errorDataOf, errorText, exitCodeOf } from '@registry/node'
import type { CommonOptions } from './peer.ts'

/**
 * Does something for each of what was named. Where that is several things, one that fails is told with its name and does
 * not stop the others; the exit code is that of the first.
 */
export async function forEachNamed(
  names: readonly string[],
  { json }: CommonOptions,
  signal: AbortSignal,
  act: (name: string) => Promise<void>
): Promise<void> {
  const [only, ...others] = names
  if (only !== undefined && others.length === 0) return act(only)
  let exitCode: number | undefined
  for (const name of names) {
    try {
      await act(name)
    } catch (error) {
      signal.throwIfAborted()
      exitCode ??= exitCodeOf(error)
      const told = json
        ? `${JSON.stringify({ ...errorDataOf(error), for: name })}\n`
        : `${name}: ${errorText(error, 'text')}`
      process.stderr.write(told)
    }
  }
  if (exitCode !== undefined) process.exitCode = exitCode
}
