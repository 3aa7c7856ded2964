// Packs what would be published and checks each tarball as a stranger would meet it. Needs a build.
//
//   node scripts/check-packages.ts            every package and app
//   node scripts/check-packages.ts FOLDER…    these
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { root, workspacePackages } from './workspace.ts'

const named = process.argv.slice(2).map((folder) => resolve(folder))
const folders = named.length > 0 ? named : workspacePackages().map(({ folder }) => join(root, folder))
const target = mkdtempSync(join(tmpdir(), 'registry-pack-'))
let faulty = 0
try {
  for (const folder of folders) if (!check(folder)) faulty += 1
} finally {
  rmSync(target, { recursive: true })
}
console.log(`${folders.length - faulty} of ${folders.length} packages are fit to publish`)
if (faulty > 0) process.exit(1)

function check(folder: string): boolean {
  if (!existsSync(join(folder, 'dist'))) {
    console.error(`${folder}: not built. Hint: run \`pnpm run build\` first.`)
    return false
  }
  const packed = run(folder, 'pnpm', 'pack', '--json', '--pack-destination', target)
  if (packed === undefined) return false
  const { filename } = JSON.parse(packed) as { filename: string }
  const linted = run(folder, 'publint', filename, '--strict')
  const typed = run(folder, 'attw', filename, '--profile', 'esm-only', '--format', 'ascii', '--no-color')
  return linted !== undefined && typed !== undefined
}

/** What the command printed, or undefined, and that shown, where it failed. */
function run(cwd: string, command: string, ...args: string[]): string | undefined {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status === 0) return stdout
  console.error(`${cwd}: ${command} failed\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`)
  return undefined
}
