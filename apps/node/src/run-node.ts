import type { Clock } from '@registry/types'
import { errorText } from './error-text.ts'
import { StopTimeoutError } from './errors.ts'
import { EXIT_CODES, exitCodeOf } from './exit-code.ts'
import { lineLogger, openLogFile } from './line-logger.ts'
import { type RunningNode, startNode } from './node.ts'
import type { NodeOptions } from './node-options.ts'

/** How long a peer may take to stop before the process ends without waiting further. */
const STOP_TIMEOUT_MS = 15_000
/** One Ctrl-C may come twice, from the terminal and from a program like npx that passes it on. */
const SAME_SIGNAL_MS = 500
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const wallClock: Pick<Clock, 'now'> = { now: () => Date.now() }

/**
 * A peer as the foreground of this process: prints where it serves, stops on SIGINT, SIGTERM, SIGHUP or when it is asked
 * to, and resolves to the exit code. A second signal ends the process at once. Errors are printed, not thrown.
 */
export async function runNode(options: NodeOptions): Promise<number> {
  const logFile = options.logFile === undefined ? undefined : openLogFile(options.logFile)
  const write = logFile?.write ?? ((line: string) => void process.stderr.write(line))
  const logger = lineLogger({ level: options.logLevel })({ clock: wallClock, write })
  const crashed = (error: unknown): void =>
    logger.warn('registry:node', 'the process ends by a fault', { error: String(error) })
  const signalled = listenForSignals()
  process.on('uncaughtExceptionMonitor', crashed)
  try {
    const node = await startNode(options, { logger })
    const { peerId, network, http } = node
    logger.info('registry:node', 'the peer serves', { peerId, network, http })
    process.stdout.write(options.json ? jsonLine(node) : greeting(node))
    await Promise.race([signalled.first, node.stopped])
    await withinTime(node.stop())
    logger.info('registry:node', 'the peer has stopped')
    return EXIT_CODES.ok
  } catch (error) {
    process.stderr.write(errorText(error, options.json ? 'json' : 'text'))
    return exitCodeOf(error)
  } finally {
    signalled.end()
    process.off('uncaughtExceptionMonitor', crashed)
    logFile?.close()
  }
}

/**
 * Ends the process when what was printed is with its reader. Nothing else is waited for: what had to be done is, and the
 * network stack has timers that run on for a second after it has stopped.
 */
export async function exitWith(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
  }
  process.exit(code)
}

function listenForSignals(): { first: Promise<void>; end(): void } {
  const first = Promise.withResolvers<void>()
  let firstMs: number | undefined
  const listener = (_name: NodeJS.Signals, number: number): void => {
    const nowMs = performance.now()
    firstMs ??= nowMs
    if (nowMs - firstMs > SAME_SIGNAL_MS) process.exit(128 + number)
    first.resolve()
  }
  for (const signal of SIGNALS) process.on(signal, listener)
  return {
    first: first.promise,
    end: () => {
      for (const signal of SIGNALS) process.off(signal, listener)
    }
  }
}

async function withinTime(stopping: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new StopTimeoutError(STOP_TIMEOUT_MS)), STOP_TIMEOUT_MS)
  try {
    await Promise.race([stopping, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function jsonLine({ peerId, addresses, http }: RunningNode): string {
  return `${JSON.stringify({ peerId, addresses, http })}\n`
}

function greeting({ peerId, addresses, network, http, dataDir }: RunningNode): string {
  const lines = [
    ['Peer', peerId],
    ['Network', network],
    ...addresses.map((address, index) => [index === 0 ? 'Addresses' : '', address]),
    ['Local API', http],
    ['Data', dataDir]
  ]
  return `${lines.map(([label = '', value = '']) => `${label.padEnd(11)}${value}`).join('\n')}\nStop it with Ctrl-C.\n`
}
