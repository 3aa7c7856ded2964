// Everything that must hold, in one run. The last line is the result: `N passed, N failed`, with tests counted as their
// runner counts them; a step other than tests adds one failure if it fails.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quietEnvironment, root } from './workspace.ts'

interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface Step {
  readonly title: string
  readonly command: readonly string[]
  /** Set where the step runs tests: reads their number after it ran, whether or not it succeeded. */
  readonly counts?: () => Counts
}

const reports = mkdtempSync(join(tmpdir(), 'registry-verify-'))
const vitestReport = join(reports, 'vitest.json')

const steps: readonly Step[] = [
  { title: 'build', command: ['turbo', 'run', 'build', '--output-logs=errors-only'] },
  { title: 'lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { title: 'typecheck', command: ['tsc'] },
  { title: 'typecheck packages', command: ['turbo', 'run', 'typecheck', '--output-logs=errors-only'] },
  { title: 'layers', command: ['node', 'scripts/check-layers.ts'] },
  { title: 'packages', command: ['node', 'scripts/check-packages.ts'] },
  { title: 'README examples', command: ['node', 'scripts/check-docs.ts'] },
  { title: 'quick start', command: ['node', 'scripts/quickstart.ts', '--exit'] },
  {
    title: 'tests',
    command: ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${vitestReport}`],
    counts: readVitestReport
  }
]

let passed = 0
let failed = 0
let skipped = 0
const startedMs = performance.now()
for (const { title, command, counts } of steps) {
  console.log(`\n── ${title}`)
  const stepStartedMs = performance.now()
  const succeeded = await run(command)
  const found = counts?.() ?? { passed: 0, failed: 0, skipped: 0 }
  passed += found.passed
  skipped += found.skipped
  // A test file that cannot be loaded fails its runner without a failed test.
  failed += succeeded ? found.failed : Math.max(found.failed, 1)
  console.log(`── ${title} ${succeeded ? 'ok' : 'FAILED'}, ${seconds(stepStartedMs)}`)
}
rmSync(reports, { recursive: true })
if (passed + failed === 0) console.log('\nno test ran')
console.log(`\nverified in ${seconds(startedMs)}`)
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

function run([command = '', ...args]: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    // Standard error joins standard output, so that a step's words stay in their order.
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 1],
      env: quietEnvironment()
    })
    child.on('error', (error) => {
      console.log(error.message)
      resolve(false)
    })
    child.on('close', (code) => resolve(code === 0))
  })
}

function readVitestReport(): Counts {
  if (!existsSync(vitestReport)) return { passed: 0, failed: 0, skipped: 0 }
  const report = JSON.parse(readFileSync(vitestReport, 'utf8')) as {
    numPassedTests: number
    numFailedTests: number
    numPendingTests: number
    numTodoTests: number
  }
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests
  }
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`
}
