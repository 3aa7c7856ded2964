import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { type ErrorData, errorFromData, parseList, parseMap, parseText } from '@registry/types'
import { DaemonError } from './errors.ts'

/** A peer that runs on by itself. */
export interface Daemon {
  peerId: string
  addresses: string[]
  http: string
  pid: number
  logFile: string
}

export interface DaemonOptions {
  /** The arguments of the verb, those that make it a daemon left out. */
  args: readonly string[]
  logFile: string
  signal: AbortSignal
}

/** How long a peer may take until it serves; a first start makes keys, a large catalogue is checked. */
const START_TIMEOUT_MS = 60_000

/**
 * Starts this program again, detached from the terminal; resolves once that serves.
 *
 * @throws what the peer failed with; {DaemonError} ERR_DAEMON, it ended or hung without a word
 */
export async function startDaemon({ args, logFile, signal }: DaemonOptions): Promise<Daemon> {
  await mkdir(dirname(logFile), { recursive: true, mode: 0o700 })
  const log = await open(logFile, 'a+', 0o600)
  try {
    const { size: logStart } = await log.stat()
    const program = process.argv[1] ?? ''
    const child = spawn(
      process.execPath,
      [...process.execArgv, program, ...args, '--json', '--log-file', logFile],
      { detached: true, windowsHide: true, stdio: ['ignore', 'pipe', log.fd] }
    )
    const timeout = AbortSignal.timeout(START_TIMEOUT_MS)
    const ended = new AbortController()
    child.once('exit', () => ended.abort())
    child.once('error', () => ended.abort())
    const { stdout } = child
    try {
      if (stdout === null) throw new DaemonError('cannot be heard', logFile)
      const lines = createInterface({ input: stdout })
      const [line] = await once(lines, 'line', { signal: AbortSignal.any([signal, timeout, ended.signal]) })
      const { peerId, addresses, http } = parseMap(JSON.parse(line), 'peer')
      const daemon: Daemon = {
        peerId: parseText(peerId, 'peerId', 256),
        addresses: parseList(addresses, 'addresses', 1024, (one, field) => parseText(one, field, 1024)),
        http: parseText(http, 'http', 256),
        pid: child.pid ?? 0,
        logFile
      }
      lines.close()
      stdout.destroy()
      child.unref()
      return daemon
    } catch (error) {
      if (!ended.signal.aborted) child.kill()
      signal.throwIfAborted()
      if (timeout.aborted) throw new DaemonError(`did not serve within ${START_TIMEOUT_MS} ms`, logFile)
      if (!ended.signal.aborted) throw error
      const { bytesRead, buffer } = await log.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, logStart)
      const data = lastError(buffer.toString('utf8', 0, bytesRead))
      throw data === undefined
        ? new DaemonError(`ended with code ${child.exitCode}`, logFile)
        : errorFromData(data)
    }
  } finally {
    await log.close()
  }
}

/** The error that a peer has written as its last line, if it had the time. */
function lastError(log: string): ErrorData | undefined {
  try {
    const data = JSON.parse(log.trimEnd().split('\n').at(-1) ?? '')
    return 'code' in data ? data : undefined
  } catch {
    return undefined
  }
}
