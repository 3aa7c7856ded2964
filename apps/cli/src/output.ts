import { styleText } from 'node:util'

/** What a script reads: one JSON text a line. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

export function print(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}

/** What is said beside the answer, as on which file a log is written. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Text that others wrote, as one line without the characters that would steer a terminal or turn it around. */
export function plain(text: string): string {
  return text.replaceAll(/\s*[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\s*/gu, ' ').trim()
}

function heading(text: string): string {
  return styleText('bold', text)
}

/** Rows under a heading, columns aligned; the last one is cut at the width of the terminal, if it is one. */
export function table(columns: readonly string[], rows: ReadonlyArray<readonly string[]>): string[] {
  const clean = rows.map((row) => row.map(plain))
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...clean.map((row) => row[index]?.length ?? 0))
  )
  const room = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY
  const line = (cells: readonly string[]): string =>
    fit(cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  '), room)
  return [heading(line(columns)), ...clean.map(line)]
}

/** Pairs of a label and what it stands for; those without a value are left out. */
export function fields(pairs: ReadonlyArray<readonly [label: string, value: string | undefined]>): string[] {
  const shown = pairs.flatMap(([label, value]) =>
    value === undefined || value === '' ? [] : [{ label, value: plain(value) }]
  )
  const width = Math.max(0, ...shown.map(({ label }) => label.length))
  return shown.map(({ label, value }) => `${heading(label.padEnd(width))}  ${value}`)
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10))
  return `${power === 0 ? count : (count / 1024 ** power).toFixed(1)} ${units[power]}`
}

export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
  return `${Math.floor(seconds / 86_400)} d`
}

/** How long ago a time of this machine's clock is. */
export function ago(ms: number | null): string {
  return ms === null ? 'never' : `${duration(Math.max(0, Date.now() - ms))} ago`
}

export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

function fit(line: string, room: number): string {
  const text = line.trimEnd()
  return text.length > room ? `${text.slice(0, Math.max(1, room - 1))}…` : text
}
