import { dirname, join, relative } from 'node:path'
import {
  formatPackageReference,
  formatProjectNames,
  type ProjectNames,
  parsePackageReference,
  splitProjectNames
} from '@registry/types'
import { readOrMissing, replaceFile } from './text-file.ts'

/**
 * The names that a project has decided on. They are in the address of its registry, which npm, pnpm, bun and yarn 1 read in
 * `.npmrc`, and yarn 4 in `.yarnrc.yml`: so they are committed with it and hold on every machine.
 */
export interface ProjectLock {
  folder: string
  names: ProjectNames
  /** The address without the names and without a slash at its end; undefined when the project says none. */
  address?: string
}

/** Of the nearest folder with a `package.json`, the given one itself when there is none. @throws ERR_INVALID_PROJECT_NAMES */
export async function readProjectLock(from: string): Promise<ProjectLock> {
  const folder = await projectFolder(from)
  const npmrc = await readOrMissing(join(folder, '.npmrc'))
  const [, text = ''] = /^[ \t]*registry[ \t]*=[ \t]*(\S+)[ \t]*$/m.exec(npmrc ?? '') ?? []
  if (!URL.canParse(text)) return { folder, names: new Map() }
  const { origin, pathname } = new URL(text)
  const { names, path } = splitProjectNames(pathname)
  return { folder, names, address: `${origin}${path}`.replace(/\/+$/, '') }
}

/**
 * Writes the names into the settings of the project; `address` counts where it has none yet. Resolves to the files that were
 * written, seen from the project's folder.
 */
export async function writeProjectLock(
  lock: ProjectLock,
  names: ProjectNames,
  address: string
): Promise<string[]> {
  const base = lock.address ?? address
  const registry = names.size === 0 ? `${base}/` : `${base}/~/${formatProjectNames(names)}/`
  const npmrc = join(lock.folder, '.npmrc')
  await replaceFile(npmrc, (text) => withLine(text, /^[ \t]*registry[ \t]*=.*$/m, `registry=${registry}`))
  const written = [npmrc]
  const yarnrc = join(lock.folder, '.yarnrc.yml')
  if ((await readOrMissing(yarnrc)) !== undefined) {
    const line = `npmRegistryServer: ${JSON.stringify(registry.replace(/\/$/, ''))}`
    await replaceFile(yarnrc, (text) => withLine(text, /^npmRegistryServer[ \t]*:.*$/m, line))
    written.push(yarnrc)
  }
  return written.map((path) => relative(lock.folder, path))
}

/** A reference as the project at hand means it. */
export async function projectReference(text: string, from: string = process.cwd()): Promise<string> {
  const reference = parsePackageReference(text)
  if (reference.owner !== undefined) return text
  const owner = (await readProjectLock(from)).names.get(reference.name)
  return owner === undefined ? text : formatPackageReference({ ...reference, owner })
}

async function projectFolder(from: string): Promise<string> {
  for (let folder = from; ; folder = dirname(folder)) {
    if ((await readOrMissing(join(folder, 'package.json'))) !== undefined) return folder
    if (dirname(folder) === folder) return from
  }
}

function withLine(text: string, line: RegExp, replacement: string): string {
  if (line.test(text)) return text.replace(line, () => replacement)
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${replacement}\n`
}
