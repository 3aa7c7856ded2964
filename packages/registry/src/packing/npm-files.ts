/// <reference path="./npm-packlist.d.ts" />
import { readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { isRegistryError } from '@registry/types'
import packlist, { type PackTree, type WalkerEntry } from 'npm-packlist'
import { entryKind } from './entry-kind.ts'
import { hasCode, isSystemError, SourceUnreadableError, UnsafeEntryError } from './errors.ts'
import { PACKING_LIMITS } from './limits.ts'
import { isTable } from './manifest-format.ts'

/**
 * The files that `npm pack` would take from a folder with a package.json: its `files`, `.npmignore` or `.gitignore`, and
 * npm's own rules, bundled dependencies included. Paths are relative, with "/", in no order. Runs none of its scripts.
 *
 * @throws {UnsafeEntryError} ERR_UNSAFE_ENTRY, the rules take a link or the like, which npm would silently leave out
 * @throws {SourceUnreadableError} ERR_SOURCE_UNREADABLE, a bundled package.json or a rule cannot be read
 */
export function npmFiles(folder: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      reject(
        isRegistryError(error) || isSystemError(error) ? error : new SourceUnreadableError(folder, error)
      )
    }
    new LinkWalker(treeOf(folder, fail), { isPackage: true })
      // The walker marks names that start with "@" by "./".
      .on('done', (files: string[]) => resolve(files.map((file) => file.replace(/^\.\//, ''))))
      .on('error', fail)
      .start()
  })
}

class LinkWalker extends packlist.Walker {
  override walker(entry: string, options: object, callback: () => void): void {
    new LinkWalker(this.tree, this.walkerOpt(entry, options)).on('done', callback).start()
  }

  override onReadIgnoreFile(file: string | symbol, data: string, callback: () => void): void {
    try {
      super.onReadIgnoreFile(file, data, callback)
    } catch (error) {
      // The walker calls this from where nobody catches.
      this.emit('error', error)
    }
  }

  override onstat(options: WalkerEntry, callback: () => void): void {
    const kind = entryKind(options.st)
    if (options.file && kind !== 'a file' && kind !== 'a folder') {
      this.emit(
        'error',
        new UnsafeEntryError(`${this.path}/${options.entry}`.slice(this.root.length + 1), kind)
      )
      return
    }
    super.onstat(options, callback)
  }
}

type EdgeLookup = (from: string, name: string) => ReturnType<PackTree['edgesOut']['get']>

/** The installed packages as the walker asks for them: each looked up the way Node does, none above the root. */
function treeOf(root: string, fail: (error: unknown) => void): PackTree {
  const known = new Map<string, PackTree>()
  const tree = (path: string, document: Record<string, unknown>): PackTree => {
    const node: PackTree = {
      path,
      package: packingFields(document),
      isProjectRoot: path === root,
      edgesOut: {
        get(name) {
          try {
            return edge(path, name)
          } catch (error) {
            // The walker asks from where nobody catches.
            fail(error)
            return undefined
          }
        }
      }
    }
    known.set(path, node)
    return node
  }
  const edge: EdgeLookup = (from, name) => {
    for (let folder = from; ; folder = dirname(folder)) {
      const path = join(folder, 'node_modules', name)
      const document = known.has(path) ? {} : readPackageJson(path)
      if (document !== undefined) {
        return { to: { path, isLink: false, target: known.get(path) ?? tree(path, document) } }
      }
      if (folder === root || folder === dirname(folder)) return undefined
    }
  }
  return tree(root, readPackageJson(root) ?? {})
}

function readPackageJson(folder: string): Record<string, unknown> | undefined {
  let text: string
  try {
    text = readFileSync(join(folder, 'package.json'), 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
  const document: unknown = JSON.parse(text.replace(/^\ufeff/, ''))
  return isTable(document) ? document : {}
}

/** The fields that the walker reads, each in the one shape that it expects; npm cleans a manifest in the same way. */
function packingFields(document: Record<string, unknown>): Record<string, unknown> {
  const { main, browser, bin, files, dependencies, optionalDependencies, patchedDependencies } = document
  const bundled = document.bundleDependencies ?? document.bundledDependencies
  const texts = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
  const fields: Record<string, unknown> = {
    bin: Object.values(typeof bin === 'string' ? { bin } : textsIn(bin)).map(fromTop),
    dependencies: textsIn(dependencies),
    optionalDependencies: textsIn(optionalDependencies),
    bundleDependencies: bundled === true ? Object.keys(textsIn(dependencies)) : texts(bundled),
    patchedDependencies
  }
  if (typeof main === 'string') fields.main = fromTop(main)
  if (typeof browser === 'string') fields.browser = fromTop(browser)
  if (Array.isArray(files)) fields.files = texts(files)
  return fields
}

/** The walker's rules know no "./" before a path, and fail on one that no file can have. */
function fromTop(path: string): string {
  return path.length > PACKING_LIMITS.maxPathBytes ? '' : posix.join('/', path).slice(1)
}

function textsIn(value: unknown): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [key, item] of Object.entries(isTable(value) ? value : {}))
    if (typeof item === 'string') result[key] = item
  return result
}
