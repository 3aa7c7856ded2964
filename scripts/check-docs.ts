// Every `ts` block of every README is compiled and run; `ts no-run` only compiled. A block stands alone, so it is put as a
// module into the package that documents it, where its imports mean what they mean to a reader who installed that package.
import { spawn } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './workspace.ts'

const RUN_TIMEOUT_MS = 60_000
const READMES = '{.,packages/*,apps/*,examples/*}/README.md'

interface Block {
  readonly readme: string
  readonly line: number
  readonly file: string
  readonly run: boolean
}

const folders = new Set<string>()
let failures = 0
try {
  const blocks = globSync(READMES, { cwd: root }).sort().flatMap(extract)
  if (blocks.length === 0) throw new Error('no README has a `ts` block')
  if (!(await compiles(blocks))) failures++
  for (const block of blocks.filter(({ run }) => run)) {
    const { ok, output } = await run(block)
    console.log(`${ok ? '✓' : '✗'} ${block.readme}:${block.line}`)
    if (ok) continue
    failures++
    console.log(output)
  }
  console.log(`${blocks.length} examples, ${failures} failed`)
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failures > 0 ? 1 : 0

function extract(readme: string): Block[] {
  const lines = readFileSync(join(root, readme), 'utf8').split('\n')
  const folder = join(root, dirname(readme), '.docs')
  const blocks: Block[] = []
  for (let index = 0; index < lines.length; index++) {
    const fence = /^```ts( no-run)?$/.exec(lines[index] ?? '')
    if (fence === null) continue
    const end = lines.indexOf('```', index)
    const file = join(folder, `line-${index + 1}.ts`)
    folders.add(folder)
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, `${lines.slice(index + 1, end).join('\n')}\nexport {}\n`)
    blocks.push({ readme, line: index + 1, file, run: fence[1] === undefined })
    index = end
  }
  return blocks
}

async function compiles(blocks: readonly Block[]): Promise<boolean> {
  let succeeded = true
  for (const folder of new Set(blocks.map(({ file }) => dirname(file)))) {
    const config = join(folder, 'tsconfig.json')
    const compilerOptions = { declaration: false, isolatedDeclarations: false, noUnusedLocals: false }
    writeFileSync(
      config,
      JSON.stringify({ extends: join(root, 'tsconfig.base.json'), compilerOptions, include: ['*.ts'] })
    )
    const { ok, output } = await execute('tsc', ['-p', config], folder)
    if (ok) continue
    succeeded = false
    console.log(output)
  }
  return succeeded
}

/** Runs in an empty folder that is its own home and data folder, so that an example touches nothing of the user's. */
async function run({ file }: Block): Promise<{ ok: boolean; output: string }> {
  const cwd = mkdtempSync(join(tmpdir(), 'registry-example-'))
  try {
    return await execute('node', ['--conditions=@registry/source', file], cwd)
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}

function execute(
  command: string,
  args: readonly string[],
  cwd: string
): Promise<{ ok: boolean; output: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, HOME: cwd, XDG_DATA_HOME: join(cwd, 'data') }
    const child = spawn(command, args, {
      cwd,
      env,
      timeout: RUN_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk
      })
    }
    child.once('error', (error) => resolve({ ok: false, output: error.message }))
    child.once('close', (code, signal) => {
      if (signal !== null)
        output += `\nended by ${signal}: an example has to end by itself within ${RUN_TIMEOUT_MS} ms`
      resolve({ ok: code === 0, output })
    })
  })
}

if (!existsSync(join(root, 'node_modules'))) throw new Error('run pnpm install first')
