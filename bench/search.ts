import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Benchmark, Report, RunOptions } from './benchmark.ts'
import { opamPackages } from './opam-catalogue.ts'
import { enlarged, type PackageDocument } from './package-documents.ts'
import { type EngineProcess, startEngine } from './search-engine-process.ts'
import { SEARCH_ENGINES, type SearchFeatures, UNSUPPORTED } from './search-engines.ts'
import { QUERY_LOADS, type QueryLoad, searchLoad } from './search-load.ts'
import { JUDGED_QUERIES, type JudgedQuery } from './search-queries.ts'
import { distribution } from './statistics.ts'

const MIB = 2 ** 20
const JUDGE_LIMIT_MS = 60_000
const CHANGES_PER_SECOND = 200
const SEED = 1
const WARM_UP_QUERIES = 100
/** As many packages of a large catalogue as queries are made of. */
const QUERIED_PACKAGES = 50_000

interface Subject {
  name: string
  engine: string
  features: SearchFeatures
}

/** What is compared. Those of one engine share its index. */
const SUBJECTS: readonly Subject[] = [
  ...Object.keys(SEARCH_ENGINES).map((engine) => ({ name: engine, engine, features: {} })),
  { name: 'xapian-weighted', engine: 'xapian', features: { weighted: true } }
]
const FEATURES: Readonly<Record<QueryLoad, SearchFeatures>> = {
  mixed: {},
  common: {},
  prefix: { prefix: true },
  typo: { typos: true }
}

interface Size {
  label: string
  releases: number
}

interface Effort {
  queries: number
  rounds: number
  /** For one load of one engine in one round. */
  askMs: number
  liveMs: number
}

export const search: Benchmark = {
  name: 'search',
  description: 'searches of a growing catalogue, and whether they find what is meant, beside other engines',
  timeLimitMs: 3 * 60 * 60_000,
  async run(report, options) {
    const { packages, releases } = await opamPackages()
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-search-'))
    try {
      const packagesFile = join(folder, 'packages.json')
      await writeFile(packagesFile, JSON.stringify(packages))
      for (const size of sizes(releases, options)) {
        const count = Math.round((size.releases * packages.length) / releases)
        await measureSize({ size, count, packages, packagesFile, folder }, report, options)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

function sizes(real: number, { quick, large }: RunOptions): Size[] {
  if (quick) return [{ label: '19k', releases: real }]
  return [
    { label: '19k', releases: real },
    { label: '100k', releases: 100_000 },
    { label: '1m', releases: 1_000_000 },
    ...(large ? [{ label: '4m', releases: 4_000_000 }] : [])
  ]
}

interface Catalogue {
  size: Size
  count: number
  packages: readonly PackageDocument[]
  packagesFile: string
  folder: string
}

async function measureSize(catalogue: Catalogue, report: Report, options: RunOptions): Promise<void> {
  const effort: Effort = options.quick
    ? { queries: 20, rounds: 1, askMs: 1000, liveMs: 300 }
    : { queries: 1000, rounds: 3, askMs: 5000, liveMs: 5000 }
  const { size, count, packages } = catalogue
  const sample = [...enlarged(packages, Math.min(count, QUERIED_PACKAGES), SEED)]
  const load = searchLoad(sample, effort.queries, SEED)
  const engines = new Map<string, EngineProcess>()
  try {
    await buildAll(catalogue, engines, report, options.signal)
    if (count === packages.length) await judge(packages, engines, report, options.signal)
    for (const of of QUERY_LOADS)
      await measureLoad(of, load[of], size, engines, effort, report, options.signal)
    await measureLive(load.mixed, size, engines, effort, report, options.signal)
  } finally {
    await Promise.all([...engines.values()].map((engine) => engine.stop()))
    await rm(join(catalogue.folder, size.label), { recursive: true, force: true })
  }
}

/**
 * One after the other, each in a process of its own that stays for the searches; those that do not get there are reported.
 * What keeps its index in files is then opened by another process, as after a restart, and searched there.
 */
async function buildAll(
  { size, count, packagesFile, folder }: Catalogue,
  engines: Map<string, EngineProcess>,
  report: Report,
  signal: AbortSignal
): Promise<void> {
  const figures = { index: 'packages/s', memory: 'MiB', disk: 'MiB', open: 'ms', 'opened-memory': 'MiB' }
  const samples = new Map(Object.keys(figures).map((figure) => [figure, new Map<string, number[]>()]))
  const keep = (figure: keyof typeof figures, engine: string, value: number): void => {
    samples.get(figure)?.set(engine, [value])
  }
  for (const engine of Object.keys(SEARCH_ENGINES)) {
    signal.throwIfAborted()
    report.progress(`${size.label}: ${engine} indexes ${count} packages`)
    const own = join(folder, size.label, engine)
    await mkdir(own, { recursive: true })
    const start = (): EngineProcess => {
      const started = startEngine({ engine, folder: own, packagesFile, packages: count, seed: SEED })
      engines.set(engine, started)
      return started
    }
    const builder = start()
    const built = await builder.build(signal)
    if (built.kind !== 'built') {
      engines.delete(engine)
      await builder.stop()
      report.unmeasured(`index-${size.label}`, engine, built.kind, built.limit)
      continue
    }
    keep('index', engine, (count * 1000) / built.elapsedMs)
    keep('memory', engine, built.memoryBytes / MIB)
    if (built.diskBytes === 0) continue
    await builder.stop()
    const opened = await start().open(signal)
    keep('disk', engine, built.diskBytes / MIB)
    keep('open', engine, opened.elapsedMs)
    keep('opened-memory', engine, opened.memoryBytes / MIB)
  }
  for (const [figure, unit] of Object.entries(figures)) {
    report.comparison(`${figure}-${size.label}`, unit, samples.get(figure) ?? new Map())
  }
}

/** Whether what a person means is found, by all that each engine can do at once. */
async function judge(
  packages: readonly PackageDocument[],
  engines: ReadonlyMap<string, EngineProcess>,
  report: Report,
  signal: AbortSignal
): Promise<void> {
  for (const { name, engine, features } of SUBJECTS) {
    const asked = engines.get(engine)
    if (asked === undefined) continue
    report.progress(`${JUDGED_QUERIES.length} judged queries: ${name}`)
    const { answers } = await asked.ask(
      {
        texts: JUDGED_QUERIES.map(({ text }) => text),
        features: { prefix: true, typos: true, ...features },
        timeLimitMs: JUDGE_LIMIT_MS
      },
      signal
    )
    const judged = JUDGED_QUERIES.map((query, at) => ({
      kind: query.kind,
      rank: rankOf(
        query,
        (answers[at] ?? []).map((number) => packages[number - 1]?.name ?? '')
      )
    }))
    const kinds = new Set(JUDGED_QUERIES.map(({ kind }) => kind))
    for (const [label, ranks] of [
      ['quality', judged] as const,
      ...[...kinds].map((kind) => [`quality-${kind}`, judged.filter((one) => one.kind === kind)] as const)
    ]) {
      const n = ranks.length
      const share = (of: (rank: number) => number): number =>
        ranks.reduce((sum, { rank }) => sum + of(rank), 0) / n
      const row = { case: label, subject: name, unit: 'share', n }
      report.row({ ...row, metric: 'reciprocal-rank', value: share((rank) => 1 / rank) })
      report.row({ ...row, metric: 'top-3', value: share((rank) => (rank <= 3 ? 1 : 0)) })
    }
  }
}

/** From 1; infinite when nothing that was meant is found. */
function rankOf({ meant }: JudgedQuery, found: readonly string[]): number {
  const at = found.findIndex((name) => meant.includes(name))
  return at === -1 ? Number.POSITIVE_INFINITY : at + 1
}

async function measureLoad(
  of: QueryLoad,
  texts: string[],
  size: Size,
  engines: ReadonlyMap<string, EngineProcess>,
  effort: Effort,
  report: Report,
  signal: AbortSignal
): Promise<void> {
  const name = `${of}-${size.label}`
  const subjects = SUBJECTS.filter(({ engine, features }) => {
    if (!engines.has(engine) || (features.weighted === true && of !== 'mixed' && of !== 'common'))
      return false
    const asked = Object.keys(FEATURES[of])
    const supported = !UNSUPPORTED[engine]?.some((feature) => asked.includes(feature))
    if (!supported) report.unmeasured(name, engine, 'not-supported')
    return supported
  })
  const samples = new Map(subjects.map((subject) => [subject.name, [] as number[][]]))
  const stalls = new Map<string, number[]>()
  // The round before the first is not counted: code gets warm in it.
  for (let round = -1; round < effort.rounds; round++) {
    for (const { name: subject, engine, features } of round % 2 === 0 ? subjects : subjects.toReversed()) {
      report.progress(`${name}: ${subject}, round ${round + 1} of ${effort.rounds}`)
      const asked = await engines.get(engine)?.ask(
        {
          texts: round < 0 ? texts.slice(0, WARM_UP_QUERIES) : texts,
          features: { ...FEATURES[of], ...features },
          timeLimitMs: effort.askMs
        },
        signal
      )
      if (round < 0 || asked === undefined) continue
      const { samplesMs, stall } = asked
      samples.get(subject)?.push(samplesMs)
      if (stall !== undefined) stalls.set(subject, [...(stalls.get(subject) ?? []), stall.maxMs])
    }
  }
  reportLatencies(name, samples, report)
  for (const [subject, maxMs] of stalls) report.spread(`${name}-stall`, subject, 'ms', maxMs)
}

async function measureLive(
  texts: string[],
  size: Size,
  engines: ReadonlyMap<string, EngineProcess>,
  effort: Effort,
  report: Report,
  signal: AbortSignal
): Promise<void> {
  const name = `live-mixed-${size.label}`
  const samples = new Map([...engines.keys()].map((engine) => [engine, [] as number[][]]))
  for (const [engine, asked] of engines) {
    report.progress(`${name}: ${engine}`)
    const lived = await asked.live(
      { texts, features: {}, durationMs: effort.liveMs, changesPerSecond: CHANGES_PER_SECOND },
      signal
    )
    samples.get(engine)?.push(lived.samplesMs)
    report.latencies(`live-change-${size.label}`, engine, lived.changesMs)
    const perSecond = (lived.changesMs.length * 1000) / lived.durationMs
    report.spread(`live-rate-${size.label}`, engine, 'changes/s', [perSecond])
    if (lived.stall !== undefined) report.spread(`${name}-stall`, engine, 'ms', [lived.stall.maxMs])
  }
  reportLatencies(name, samples, report)
}

/** Of all rounds together, and ours by each other one round by round, over the queries that both had time for. */
function reportLatencies(
  name: string,
  samples: ReadonlyMap<string, readonly (readonly number[])[]>,
  report: Report
): void {
  for (const [subject, rounds] of samples) report.latencies(name, subject, rounds.flat())
  const ours = samples.get('ours') ?? []
  for (const [subject, rounds] of samples) {
    if (subject === 'ours' || ours.length === 0) continue
    const pairs = rounds.map((theirs, round) => {
      const both = Math.min(theirs.length, ours[round]?.length ?? 0)
      return [distribution((ours[round] ?? []).slice(0, both)), distribution(theirs.slice(0, both))] as const
    })
    for (const metric of ['p50', 'p99'] as const) {
      report.ratios(
        name,
        metric,
        subject,
        pairs.map(([our, their]) => our[metric] / their[metric])
      )
    }
  }
}
