import type { Row } from './benchmark.ts'

/** The rows as text, one line for each case, subject and unit, with its figures beside each other. */
export function table(rows: readonly Row[]): string {
  const lines = new Map<string, string[]>()
  for (const row of rows) {
    // Of a ratio, what it is the ratio to.
    const [metric, ...to] = row.metric.split('/')
    const subject = [row.subject, ...to].join(' / ')
    const key = JSON.stringify([row.case, subject, row.unit, row.n])
    const figure = row.value === null ? `${metric}` : `${metric} ${format(row.value)}`
    const line = lines.get(key)
    if (line === undefined) lines.set(key, [row.case, subject, row.unit, sampled(row), figure])
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

function sampled({ n, metric }: Row): string {
  if (n > 0) return `n=${n}`
  return metric === 'target' ? 'stated' : 'not measured'
}

/** Four significant digits, and never an exponent. */
function format(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4, useGrouping: value >= 10_000 })
}
