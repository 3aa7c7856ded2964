import type { Row } from './benchmark.ts'

/** The rows as text, one line for each case, subject and unit, with its figures beside each other. */
export function table(rows: readonly Row[]): string {
  const lines = new Map<string, string[]>()
  for (const row of rows) {
    // Of a ratio, what it is the ratio to.
    const [metric, ...to] = row.metric.split('/')
    const subject = [row.subject, ...to].join(' / ')
    const key = JSON.stringify([row.case, subject, row.unit, row.n])
    const figure = `${metric} ${format(row.value)}`
    const line = lines.get(key)
    if (line === undefined) lines.set(key, [row.case, subject, row.unit, sampled(row.n), figure])
    else line.push(figure)
  }
  const cells = [...lines.values()]
  const columns = Math.max(0, ...cells.map((line) => line.length))
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(0, ...cells.map((line) => line[at]?.length ?? 0))
  )
  return cells
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

function sampled(n: number): string {
  return n === 0 ? 'stated' : `n=${n}`
}

/** Four significant digits, and never an exponent. */
function format(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4, useGrouping: value >= 10_000 })
}
