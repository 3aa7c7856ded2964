import { createReadStream, existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { parseList, parseMap, parsePackageName, parseText, parseVersion } from '@registry/types'
import semver from 'semver'
import type { ReleaseInput } from './seeded.ts'

/** The real packages that tests and benchmarks may use where they are to be had; they are no part of the project. */
export type CorpusPart = 'ggen' | 'opam'

const PARTS: Readonly<Record<CorpusPart, string>> = { ggen: 'ggen/packs', opam: 'opam.jsonl.gz' }

/** Where a part of the corpus is: under REGISTRY_CORPUS_DIR, else beside the repository. Undefined when it is absent. */
export function corpusPath(part: CorpusPart): string | undefined {
  const dir = process.env.REGISTRY_CORPUS_DIR ?? resolve(import.meta.dirname, '../../../../shared/corpus')
  const path = join(dir, PARTS[part])
  return existsSync(path) ? path : undefined
}

/**
 * The path of a part of the corpus; where it is absent, the test is skipped and says so.
 *
 * @param skip - `skip` of the test's context
 */
export function corpusOrSkip(part: CorpusPart, skip: (note: string) => never): string {
  return (
    corpusPath(part) ??
    skip(`the ${part} corpus is absent; set REGISTRY_CORPUS_DIR to where ${PARTS[part]} is`)
  )
}

/** A folder that can be published, of the ggen marketplace. */
export interface CorpusPack {
  name: string
  path: string
}

/** The ggen packs under a path of `corpusPath('ggen')`, by name. */
export async function readCorpusPacks(path: string): Promise<CorpusPack[]> {
  const entries = await readdir(path, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, path: join(path, name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * The releases of the opam repository in a file of `corpusPath('opam')`, in its order, as input for `makeRelease`. What
 * opam allows and this registry does not is changed, so that each name and version is valid and stands once: names are
 * put in lower case, `+` is spelt out, other characters become `-`, and what npm reserves gets `opam-` before it;
 * versions that are not SemVer become the nearest that is, with the original as build metadata; long texts are cut.
 */
export async function readCorpusReleases(path: string): Promise<ReleaseInput[]> {
  const releases: ReleaseInput[] = []
  const lines = createInterface({ input: createReadStream(path).pipe(createGunzip()) })
  for await (const line of lines) releases.push(parseOpamRelease(JSON.parse(line)))
  return releases
}

function parseOpamRelease(value: unknown): ReleaseInput {
  const opam = parseMap(value, 'opam')
  const text = (key: string): string =>
    opam[key] === undefined ? '' : parseText(opam[key], key, Number.POSITIVE_INFINITY)
  const list = (key: string): string[] =>
    opam[key] === undefined
      ? []
      : parseList(opam[key], key, Number.POSITIVE_INFINITY, (item, field) =>
          cut(parseText(item, field, Number.POSITIVE_INFINITY), 256)
        )
  const release: ReleaseInput = {
    name: nameOf(text('name')),
    version: versionOf(text('version')),
    description: cut(
      [text('synopsis'), text('description')].filter((part) => part !== '').join('\n\n'),
      16_384
    ),
    tags: list('tags').slice(0, 64),
    authors: list('authors').slice(0, 64),
    dependencies: Object.fromEntries(list('depends').map((name) => [nameOf(name), '*']))
  }
  const license = list('license').join(' AND ')
  if (license !== '') release.license = cut(license, 256)
  const homepage = text('homepage')
  if (homepage !== '') release.homepage = cut(homepage, 1024)
  return release
}

function nameOf(opam: string): string {
  const name = opam
    .toLowerCase()
    .replaceAll('+', '-plus')
    .replaceAll(/[^a-z0-9._-]/g, '-')
  try {
    return parsePackageName(name)
  } catch {
    return parsePackageName(`opam-${name}`)
  }
}

function versionOf(opam: string): string {
  try {
    return parseVersion(opam)
  } catch {
    const identifiers = opam.replaceAll(/[^0-9A-Za-z.-]/g, '-').split('.')
    const build = identifiers.filter((identifier) => identifier !== '').join('.')
    return parseVersion(`${semver.coerce(opam)?.version ?? '0.0.0'}+${build}`)
  }
}

/** At most `length` UTF-16 units, none of them half a character. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')
}
