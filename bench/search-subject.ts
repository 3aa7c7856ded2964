// One search engine with its index, as a process of its own. Started by search.ts.
import { readFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parsePackageName } from '@registry/types'
import { folderBytes } from './folder-size.ts'
import { enlarged, type PackageDocument } from './package-documents.ts'
import { pick, seededRandom } from './random.ts'
import {
  EngineMissingError,
  SEARCH_ENGINES,
  type SearchEngine,
  type SearchFeatures
} from './search-engines.ts'
import { residentBytes, type Stall, watchStalls } from './self-observation.ts'

export const RESULTS = 20
const BATCH = 1000

export interface SubjectInit {
  engine: string
  /** For the files of the index; empty. */
  folder: string
  /** JSON with the real packages. */
  packagesFile: string
  /** How many packages the index has, real and made up. */
  packages: number
  seed: number
  /** The process gives up above. */
  memoryLimitBytes: number
}

export type SubjectCommand =
  | { kind: 'build' }
  /** Takes the index that is in the folder. */
  | { kind: 'open' }
  /** Asks the texts one after the other, as many as there is time for. */
  | { kind: 'ask'; texts: string[]; features: SearchFeatures; timeLimitMs: number }
  /** The same for `durationMs`, while packages change or are new at a rate. */
  | { kind: 'live'; texts: string[]; features: SearchFeatures; durationMs: number; changesPerSecond: number }

export type SubjectEvent =
  | { kind: 'built'; elapsedMs: number; memoryBytes: number; diskBytes: number }
  /** `elapsedMs`: until the first search was answered. */
  | { kind: 'opened'; elapsedMs: number; memoryBytes: number }
  | { kind: 'asked'; samplesMs: number[]; answers: number[][]; stall?: Stall }
  | { kind: 'lived'; samplesMs: number[]; changesMs: number[]; durationMs: number; stall?: Stall }
  | { kind: 'failed'; why: 'not-installed' | 'over-memory' | 'error'; message: string }

class OverMemoryError extends Error {}

const init: SubjectInit = JSON.parse(process.argv[2] ?? '')
const real: PackageDocument[] = JSON.parse(readFileSync(init.packagesFile, 'utf8'))
let engine: SearchEngine | undefined

process.on('disconnect', () => process.exit())
process.on('message', (command: SubjectCommand) => {
  obey(command).then(tell, (error: unknown) => {
    const why =
      error instanceof EngineMissingError
        ? 'not-installed'
        : error instanceof OverMemoryError
          ? 'over-memory'
          : 'error'
    tell({
      kind: 'failed',
      why,
      message: error instanceof Error ? (error.stack ?? error.message) : String(error)
    })
  })
})

async function obey(command: SubjectCommand): Promise<SubjectEvent> {
  switch (command.kind) {
    case 'build':
      return await build()
    case 'open':
      return await open()
    case 'ask':
      return await ask(command)
    case 'live':
      return await live(command)
  }
}

async function build(): Promise<SubjectEvent> {
  const before = await residentBytes()
  engine = await openEngine()
  // All are made before the first is indexed, so that nothing of an engine's own is done meanwhile, unnoticed.
  let documents = [...enlarged(real, init.packages, init.seed)]
  let elapsedMs = 0
  const timed = async (act: () => Promise<void> | void): Promise<void> => {
    const startedMs = performance.now()
    await act()
    elapsedMs += performance.now() - startedMs
  }
  const { put, flushed, elsewhere } = engine
  for (let at = 0; at < documents.length; at += BATCH) {
    const batch = documents.slice(at, at + BATCH)
    await timed(() => put(batch))
    if (process.memoryUsage.rss() > init.memoryLimitBytes) throw new OverMemoryError()
  }
  await timed(flushed)
  documents = []
  return {
    kind: 'built',
    elapsedMs: elsewhere?.().elapsedMs ?? elapsedMs,
    memoryBytes: await memoryBytes(engine, before),
    diskBytes: await folderBytes(init.folder)
  }
}

async function open(): Promise<SubjectEvent> {
  const before = await residentBytes()
  const startedMs = performance.now()
  engine = await openEngine()
  await engine.search('library', RESULTS, {})
  const elapsedMs = performance.now() - startedMs
  return { kind: 'opened', elapsedMs, memoryBytes: await memoryBytes(engine, before) }
}

async function openEngine(): Promise<SearchEngine> {
  const opens = SEARCH_ENGINES[init.engine]
  if (opens === undefined) throw new Error(`there is no engine ${init.engine}`)
  return await opens(init.folder)
}

/** More than before it was opened; of an engine in another process what that says of itself. */
async function memoryBytes({ elsewhere }: SearchEngine, before: number): Promise<number> {
  return elsewhere?.().residentBytes ?? Math.max(0, (await residentBytes()) - before)
}

async function ask(command: SubjectCommand & { kind: 'ask' }): Promise<SubjectEvent> {
  const asked = opened()
  const samplesMs: number[] = []
  const answers: number[][] = []
  const stalls = stallsOf(asked)
  const startedMs = performance.now()
  for (const text of command.texts) {
    if (performance.now() - startedMs > command.timeLimitMs) break
    const { elapsedMs, packages } = await timedSearch(asked, text, command.features)
    samplesMs.push(elapsedMs)
    answers.push(packages)
    await nextTurn()
  }
  return { kind: 'asked', samplesMs, answers, ...stalls() }
}

async function live(command: SubjectCommand & { kind: 'live' }): Promise<SubjectEvent> {
  const asked = opened()
  const changes = changedPackages(Math.ceil((command.changesPerSecond * command.durationMs) / 1000))
  const samplesMs: number[] = []
  const changesMs: number[] = []
  const stalls = stallsOf(asked)
  const startedMs = performance.now()
  const elapsedMs = (): number => performance.now() - startedMs
  for (let at = 0; elapsedMs() < command.durationMs; at++) {
    while (changesMs.length < (elapsedMs() * command.changesPerSecond) / 1000) {
      const change = changes[changesMs.length]
      if (change === undefined) break
      const atMs = performance.now()
      await asked.put([change])
      changesMs.push(performance.now() - atMs)
    }
    const text = command.texts[at % command.texts.length] ?? ''
    samplesMs.push((await timedSearch(asked, text, command.features)).elapsedMs)
    await nextTurn()
  }
  return { kind: 'lived', samplesMs, changesMs, durationMs: elapsedMs(), ...stalls() }
}

/** Half of them packages that are there with another text, half new ones. */
function changedPackages(count: number): PackageDocument[] {
  const random = seededRandom(init.seed + 1)
  const made = [...enlarged(real, real.length + count, init.seed + 1)].slice(real.length)
  return made.map((one, at) => ({
    ...one,
    package: at % 2 === 0 ? 1 + Math.floor(random() * init.packages) : init.packages + 1 + at,
    name: at % 2 === 0 ? one.name : parsePackageName(`${one.name}-${pick(random, made).name}`)
  }))
}

async function timedSearch(
  asked: SearchEngine,
  text: string,
  features: SearchFeatures
): Promise<{ elapsedMs: number; packages: number[] }> {
  const startedMs = performance.now()
  const answer = await asked.search(text, RESULTS, features)
  return { packages: answer.packages, elapsedMs: answer.elapsedMs ?? performance.now() - startedMs }
}

function opened(): SearchEngine {
  if (engine === undefined) throw new Error('nothing is indexed')
  return engine
}

/** Of no interest where the engine is in another process. */
function stallsOf({ elsewhere }: SearchEngine): () => { stall?: Stall } {
  return elsewhere === undefined ? watchStalls() : () => ({})
}

function tell(event: SubjectEvent): void {
  process.send?.(event)
}
