import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { corpusOrSkip } from '@registry/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { UNMEASURED } from '../benchmark.ts'

const main = join(import.meta.dirname, '../main.ts')
const execute = promisify(execFile)
const TIMEOUT_MS = 120_000

interface Ended {
  code: number
  stdout: string
  stderr: string
}

async function bench(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const command = execute(process.execPath, [...process.execArgv, main, ...args], {
    timeout: TIMEOUT_MS,
    env: { ...process.env, ...env }
  })
  return await command.then(
    (output) => ({ code: 0, ...output }),
    (error: Ended) => error
  )
}

/** Of every process; none where the system has no such folder. */
async function commandLines(): Promise<string[]> {
  const entries = await readdir('/proc').catch(() => [])
  const processes = entries.filter((name) => /^\d+$/.test(name))
  return await Promise.all(processes.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
}

function rowsOf(stdout: string): Array<Record<string, unknown>> {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** Nothing about speed: that the machine of a test is busy or slow is no fault. */
function expectRows(ended: Ended, bench: string): Array<Record<string, unknown>> {
  expect(ended.code, ended.stderr).toBe(0)
  const rows = rowsOf(ended.stdout)
  for (const row of rows) {
    expect(Object.keys(row)).toEqual(['bench', 'case', 'subject', 'metric', 'value', 'unit', 'n'])
    expect(row).toMatchObject({
      bench,
      case: expect.stringMatching(/./),
      subject: expect.stringMatching(/./),
      metric: expect.stringMatching(/./),
      unit: expect.stringMatching(/./)
    })
    const isUnmeasured = UNMEASURED.some((why) => why === row.metric)
    // What takes no time by the clock, and what is found nowhere, is 0.
    expect(row.value).toSatisfy((value) => (Number.isFinite(value) && Number(value) >= 0) || isUnmeasured)
    expect(row.n).toSatisfy(
      (n) => Number.isInteger(n) && (Number(n) > 0 || row.metric === 'target' || isUnmeasured)
    )
  }
  return rows
}

function figures(rows: Array<Record<string, unknown>>): string[] {
  return rows.map((row) => `${row.case} ${row.subject} ${row.metric}`)
}

describe('the door to the benchmarks', { timeout: TIMEOUT_MS }, () => {
  it('lists what it has and explains itself', async () => {
    const listed = await bench(['--list'])
    expect(listed.code).toBe(0)
    for (const name of ['network', 'exchange', 'store', 'catalogue', 'search', 'sync', 'replication', 'npm'])
      expect(listed.stdout).toContain(`  ${name} `)
    const explained = await bench(['--help'])
    expect(explained.code).toBe(0)
    expect(explained.stdout).toContain('Usage: pnpm bench')
  })

  it('refuses a benchmark or an option it does not have, with the list, and prints no figure', async () => {
    for (const argument of ['speed', '--fast']) {
      const { code, stdout, stderr } = await bench([argument, '--json'])
      expect(code).toBe(2)
      expect(stdout).toBe('')
      expect(stderr).toContain('network')
    }
  })

  it('measures a network of processes and leaves neither process nor file behind', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-smoke-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const ended = await bench(['network', '--quick', '--json'], { TMPDIR: folder })
    const found = figures(expectRows(ended, 'network'))
    for (const name of ['search-warm', 'lookup-cold', 'publish-visible-everywhere', 'gossip-mesh-6']) {
      expect(found).toEqual(
        expect.arrayContaining([
          `${name} ours p50`,
          `${name} ours p95`,
          `${name} ours p99`,
          `${name} original-target target`,
          `${name} ours p99/original-target`
        ])
      )
    }
    expect(await readdir(folder)).toEqual([])
    // Each peer has its data folder among its arguments.
    expect((await commandLines()).filter((line) => line.includes(folder))).toEqual([])
  })

  it('measures exchanges and the store beside what they are compared with', async () => {
    const ended = await bench(['exchange', 'store', '--quick', '--json'])
    const lines = rowsOf(ended.stdout)
    for (const name of ['exchange', 'store']) {
      const own = lines.filter((row) => row.bench === name).map((row) => JSON.stringify(row))
      const found = figures(expectRows({ ...ended, stdout: own.join('\n') }, name))
      expect(found.some((figure) => / ours median\//.test(figure))).toBe(true)
    }
  })

  it('measures a catalogue that is killed and started again', async ({ skip }) => {
    corpusOrSkip('opam', skip)
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-smoke-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const found = figures(
      expectRows(await bench(['catalogue', '--quick', '--json'], { TMPDIR: folder }), 'catalogue')
    )
    expect(found).toEqual(
      expect.arrayContaining([
        'check ours median/node-crypto',
        'ingest-500 ours median/sqlite',
        'search-live-500 ours p99',
        'restart-500 ours median',
        'memory-per-release-500 ours median'
      ])
    )
    expect(await readdir(folder)).toEqual([])
    expect((await commandLines()).filter((line) => line.includes(folder))).toEqual([])
  })

  it('measures searches beside other engines, says which is missing, and leaves nothing behind', async ({
    skip
  }) => {
    corpusOrSkip('opam', skip)
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-smoke-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    // Python that does not find its own modules is as good as none.
    const ended = await bench(['search', '--quick', '--json'], { TMPDIR: folder, PYTHONHOME: folder })
    const found = figures(expectRows(ended, 'search'))
    expect(found).toContain('index-19k xapian not-installed')
    expect(found).toContain('typo-19k fts5 not-supported')
    for (const engine of ['minisearch', 'orama', 'flexsearch', 'fts5']) {
      expect(found).toContain(`quality ${engine} reciprocal-rank`)
      for (const load of ['mixed', 'common', 'prefix', 'live-mixed']) {
        expect(found).toContain(`${load}-19k ours p99-median/${engine}`)
      }
    }
    expect(await readdir(folder)).toEqual([])
    expect((await commandLines()).filter((line) => line.includes(folder))).toEqual([])
  })

  it('measures how two sets are compared, beside the other way', async () => {
    const rows = expectRows(await bench(['sync', '--quick', '--json']), 'sync')
    const found = figures(rows)
    for (const case_ of ['round-trips', 'bytes', 'cpu-asking', 'cpu-answering']) {
      expect(found).toContain(`${case_}-2k-100 ours median/negentropy`)
    }
  })

  it('measures real peers that become equal, one of which begins with nothing', async ({ skip }) => {
    corpusOrSkip('opam', skip)
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-smoke-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const ended = await bench(['replication', '--quick', '--json'], { TMPDIR: folder })
    const found = figures(expectRows(ended, 'replication'))
    expect(found).toEqual(
      expect.arrayContaining([
        'round-trips-500-0 ours median',
        'bytes-beside-records-500-10 ours median',
        'cold-start-rate-500 ours median/ingest-alone'
      ])
    )
    expect(await readdir(folder)).toEqual([])
    expect((await commandLines()).filter((line) => line.includes(folder))).toEqual([])
  })
})
