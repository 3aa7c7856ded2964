// The one door to every benchmark. Figures go to standard output, all else to standard error.
import { parseArgs } from 'node:util'
import { type Benchmark, Report, type Row } from './benchmark.ts'
import { catalogue } from './catalogue.ts'
import { exchange } from './exchange.ts'
import { machine } from './machine.ts'
import { network } from './network.ts'
import { npm } from './npm.ts'
import { replication } from './replication.ts'
import { search } from './search.ts'
import { store } from './store.ts'
import { sync } from './sync.ts'
import { table } from './table.ts'

const BENCHMARKS: readonly Benchmark[] = [network, exchange, store, catalogue, search, sync, replication, npm]
/** No benchmark takes longer, unless it says so; one that hangs ends with an error. */
const TIME_LIMIT_MS = 15 * 60_000

const USAGE = `Usage: pnpm bench [NAME…] [options]

Runs the named benchmarks, or all of them.

  --list   names every benchmark
  --quick  few samples, to see that it works; says nothing about speed
  --large  also the sizes that take long: 4 million releases, 1 million records
  --json   one line a figure: {"bench","case","subject","metric","value","unit","n"}
  --help   this text

Example: pnpm bench network --json > network.jsonl

${list()}`

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second time, whoever asks does not want to wait for the end of what was started.
    if (interrupted.signal.aborted) process.exit(130)
    console.error('\nStopping …')
    interrupted.abort(new Error('interrupted'))
  })
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof parse>
  try {
    options = parse(args)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return 2
  }
  const { values, positionals } = options
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  if (values.list) {
    console.log(list())
    return 0
  }
  const unknown = positionals.filter((name) => !BENCHMARKS.some((one) => one.name === name))
  if (unknown.length > 0) {
    console.error(`There is no benchmark ${unknown.join(', ')}.\n\n${list()}`)
    return 2
  }
  const chosen =
    positionals.length === 0 ? BENCHMARKS : BENCHMARKS.filter(({ name }) => positionals.includes(name))

  // Part of the result for a person; beside it for a program.
  const tell = values.json ? console.error : console.log
  for (const line of machine(new Date())) tell(line)
  let failed = 0
  for (const benchmark of chosen) {
    if (interrupted.signal.aborted) break
    if (!(await run(benchmark, { quick: values.quick, large: values.large, json: values.json }))) failed += 1
  }
  if (interrupted.signal.aborted) return 130
  return failed > 0 ? 1 : 0
}

async function run(
  benchmark: Benchmark,
  { quick, large, json }: { quick: boolean; large: boolean; json: boolean }
): Promise<boolean> {
  const { name, description } = benchmark
  const rows: Row[] = []
  const report = new Report(name, {
    onRow: (row) => (json ? console.log(JSON.stringify(row)) : rows.push(row)),
    onProgress: (text) => console.error(`${name}: ${text}`)
  })
  const startedMs = performance.now()
  let failure: unknown
  try {
    const signal = AbortSignal.any([
      interrupted.signal,
      AbortSignal.timeout(benchmark.timeLimitMs ?? TIME_LIMIT_MS)
    ])
    await benchmark.run(report, { signal, quick, large })
  } catch (error) {
    failure = error
  }
  if (rows.length > 0) console.log(`\n${name}: ${description}\n\n${table(rows)}\n`)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  if (failure === undefined) {
    console.error(`${name}: done in ${seconds} s`)
    return true
  }
  console.error(`${name}: failed after ${seconds} s`)
  if (!interrupted.signal.aborted) console.error(failure)
  return false
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      json: { type: 'boolean', default: false },
      large: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false }
    }
  })
}

function list(): string {
  const width = Math.max(...BENCHMARKS.map(({ name }) => name.length))
  return BENCHMARKS.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`).join('\n')
}
