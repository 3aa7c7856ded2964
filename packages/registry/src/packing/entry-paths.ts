import { PackageTooLargeError, UnsafePathError } from './errors.ts'
import type { PackingLimits } from './limits.ts'

/** What the file systems in use take for one name. */
const MAX_PART_BYTES = 255
// Names that Windows gives to devices, with any extension.
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i
// Git's own folder, and the name that Windows makes of it: whoever unpacks one runs the hooks in it.
const GIT = /^(\.git|git~1)$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/

/**
 * The paths of one package, each relative to its top, with `/` between its parts. A path is refused when some system
 * would read it as another one, or as none; two paths are refused when they are one and the same on a file system that
 * does not tell upper from lower case or composed from decomposed characters.
 */
export class EntryPaths {
  readonly #limits: PackingLimits
  readonly #files = new Set<string>()
  readonly #folders = new Set<string>()
  #bytes = 0

  constructor(limits: PackingLimits) {
    this.#limits = limits
  }

  /** @throws {UnsafePathError} ERR_UNSAFE_PATH  @throws {PackageTooLargeError} ERR_TOO_LARGE */
  addFile(path: string): void {
    const key = this.#check(path)
    if (this.#files.has(key))
      throw new UnsafePathError(path, 'stands twice, by a name that some systems hold equal')
    if (this.#folders.has(key)) throw new UnsafePathError(path, 'is a file and a folder at once')
    this.#addFolders(path, key)
    this.#remember(this.#files, key)
  }

  /** A folder may be named more than once. Throws as `addFile`. */
  addFolder(path: string): void {
    const key = this.#check(path)
    if (this.#files.has(key)) throw new UnsafePathError(path, 'is a file and a folder at once')
    this.#addFolders(path, `${key}/`)
  }

  #check(path: string): string {
    if (Buffer.byteLength(path) > this.#limits.maxPathBytes) {
      throw new UnsafePathError(path, `is longer than ${this.#limits.maxPathBytes} bytes`)
    }
    if (!path.isWellFormed() || path.includes('\ufffd'))
      throw new UnsafePathError(path, 'is not proper Unicode')
    if (CONTROL.test(path)) throw new UnsafePathError(path, 'has control characters in it')
    if (path.includes('\\')) throw new UnsafePathError(path, 'has a backslash in it')
    if (path.includes(':')) throw new UnsafePathError(path, 'has a colon in it')
    if (path.startsWith('/')) throw new UnsafePathError(path, 'is absolute')
    for (const part of path.split('/')) {
      if (part === '' || part === '.' || part === '..') {
        throw new UnsafePathError(path, `has ${JSON.stringify(part)} for a part`)
      }
      if (Buffer.byteLength(part) > MAX_PART_BYTES) {
        throw new UnsafePathError(path, `has a part longer than ${MAX_PART_BYTES} bytes`)
      }
      if (part.endsWith('.') || part.endsWith(' '))
        throw new UnsafePathError(path, 'has a part that ends in "." or a space')
      if (DEVICE.test(part)) throw new UnsafePathError(path, 'has the name of a device')
      if (GIT.test(fold(part))) throw new UnsafePathError(path, 'belongs to a Git repository')
    }
    return fold(path)
  }

  #addFolders(path: string, key: string): void {
    // From the deepest up, so that nothing is left to do once one is known.
    for (let end = key.lastIndexOf('/'); end > 0; end = key.lastIndexOf('/', end - 1)) {
      const folder = key.slice(0, end)
      if (this.#folders.has(folder)) return
      if (this.#files.has(folder)) throw new UnsafePathError(path, 'lies in a folder that is a file at once')
      this.#remember(this.#folders, folder)
    }
  }

  #remember(set: Set<string>, key: string): void {
    this.#bytes += Buffer.byteLength(key)
    if (this.#bytes > this.#limits.maxPathsBytes) {
      throw new PackageTooLargeError('Its paths together', this.#limits.maxPathsBytes, 'bytes')
    }
    set.add(key)
  }
}

/** One text for all names that some file system holds equal. To upper case first, so that "ß" meets "SS". */
function fold(path: string): string {
  return path
    .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '')
    .normalize('NFD')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFD')
}
