import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import type { Clock, Logger } from '@registry/types'

/** From the most to the least that is written. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LineLoggerInit {
  level: LogLevel
}

export interface LineLoggerComponents {
  clock: Pick<Clock, 'now'>
  write: (line: string) => void
}

/** Writes a line a call: time, level, part, message, fields as JSON, so that no text of a peer's stands unquoted. */
export function lineLogger({ level }: LineLoggerInit): (components: LineLoggerComponents) => Logger {
  return ({ clock, write }) => {
    const from = LOG_LEVELS.indexOf(level)
    const at =
      (own: LogLevel): Logger['info'] =>
      (part, message, fields) => {
        if (LOG_LEVELS.indexOf(own) < from) return
        const rest = fields === undefined ? '' : ` ${JSON.stringify(fields)}`
        write(`${new Date(clock.now()).toISOString()} ${own} ${part} ${message}${rest}\n`)
      }
    return { debug: at('debug'), info: at('info'), warn: at('warn') }
  }
}

/** A log file with one older one beside it, each at most `maxBytes` and a line long. */
export interface LogFile {
  write(line: string): void
  close(): void
}

export const LOG_FILE_DEFAULTS: { readonly maxBytes: number } = Object.freeze({ maxBytes: 8 * 1024 * 1024 })

/** Opens a log file to go on with it. Lines are on their way to the disk when `write` returns, also before a crash. */
export function openLogFile(path: string, init: { maxBytes?: number } = {}): LogFile {
  const { maxBytes } = { ...LOG_FILE_DEFAULTS, ...init }
  let file = openSync(path, 'a', 0o600)
  let size = fstatSync(file).size
  return {
    write(line) {
      if (size >= maxBytes) {
        closeSync(file)
        renameSync(path, `${path}.1`)
        file = openSync(path, 'a', 0o600)
        size = 0
      }
      size += writeSync(file, line)
    },
    close: () => closeSync(file)
  }
}
