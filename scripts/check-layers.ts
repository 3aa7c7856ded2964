// Fails when a package depends on, or its source imports, its own level or a higher one; when `testing` is shipped;
// and when source imports what its package.json does not declare.
import { globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { root, type WorkspacePackage, workspacePackages } from './workspace.ts'

const LEVELS: ReadonlyMap<string, number> = new Map(
  [
    ['types'],
    ['config', 'identity', 'reconciliation', 'search', 'timing'],
    ['store', 'discovery', 'content-routing', 'protocol'],
    ['behaviour'],
    ['registry'],
    ['gateway', 'control'],
    ['node'],
    ['cli', 'dashboard']
  ].flatMap((names, level) => names.map((name): [string, number] => [`@registry/${name}`, level]))
)
const TESTING = '@registry/testing'
/** `testing` stands beside the levels and may use these only; in turn it is a devDependency only. */
const BELOW_TESTING = ['@registry/types', '@registry/identity', '@registry/reconciliation']

const faults: string[] = []
const packages = workspacePackages()
for (const one of packages) checkPackage(one)

for (const fault of faults) console.error(fault)
if (faults.length > 0) process.exit(1)
console.log(`${packages.length} packages, each depends on lower levels only`)

function checkPackage({ folder, manifest }: WorkspacePackage): void {
  const { name } = manifest
  if (name !== TESTING && !LEVELS.has(name)) {
    faults.push(`${folder}: ${name} has no level. Hint: give it one in scripts/check-layers.ts.`)
    return
  }
  const shipped = new Set(
    [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies].flatMap((some) =>
      Object.keys(some ?? {})
    )
  )
  for (const dependency of shipped) checkDirection(`${folder}/package.json`, name, dependency)
  for (const dependency of Object.keys(manifest.devDependencies ?? {})) {
    if (dependency !== TESTING) checkDirection(`${folder}/package.json`, name, dependency)
  }
  // A devDependency of these on `testing` would be a cycle.
  if (BELOW_TESTING.includes(name) && manifest.devDependencies?.[TESTING] !== undefined) {
    faults.push(`${folder}/package.json: ${name} must not depend on ${TESTING}, which is built on it`)
  }
  for (const file of globSync('src/**/*.ts', { cwd: join(root, folder) })) {
    checkFile(join(folder, file), name, shipped, manifest)
  }
}

function checkFile(
  file: string,
  name: string,
  shipped: ReadonlySet<string>,
  manifest: WorkspacePackage['manifest']
): void {
  for (const specifier of importsOf(file)) {
    if (specifier.startsWith('.') || specifier.startsWith('#') || isBuiltin(specifier)) continue
    const dependency = packageOf(specifier)
    if (dependency === name) continue
    checkDirection(file, name, dependency)
    if (!shipped.has(dependency)) {
      const where = manifest.devDependencies?.[dependency] === undefined ? '' : ', only as a devDependency'
      faults.push(`${file}: imports ${dependency}, which package.json does not declare${where}`)
    }
  }
}

function checkDirection(where: string, from: string, to: string): void {
  if (!to.startsWith('@registry/')) return
  if (to === TESTING) {
    faults.push(`${where}: ${TESTING} is for tests: a devDependency, never shipped`)
    return
  }
  if (from === TESTING) {
    if (!BELOW_TESTING.includes(to)) faults.push(`${where}: ${from} may not depend on ${to}`)
    return
  }
  const level = LEVELS.get(to)
  const own = LEVELS.get(from) ?? 0
  if (level === undefined) faults.push(`${where}: ${to} has no level`)
  else if (level >= own)
    faults.push(`${where}: ${from} (level ${own}) may not depend on ${to} (level ${level})`)
}

function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8')
  const { module, errors } = parseSync(file, source)
  if (errors.length > 0) faults.push(`${file}: ${errors[0]?.message}`)
  return [
    ...module.staticImports.map((one) => one.moduleRequest.value),
    ...module.staticExports.flatMap((one) => one.entries).flatMap((one) => one.moduleRequest?.value ?? []),
    // Only a literal: what is computed at run time is not known here.
    ...module.dynamicImports.flatMap(({ moduleRequest }) => {
      const text = source.slice(moduleRequest.start, moduleRequest.end)
      return /^(['"]).*\1$/.test(text) ? [text.slice(1, -1)] : []
    })
  ]
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
