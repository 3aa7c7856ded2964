import type { Dirent, Stats } from 'node:fs'

/** What an entry of a folder is, in words for an error. */
export function entryKind(entry: Stats | Dirent): string {
  if (entry.isFile()) return 'a file'
  if (entry.isDirectory()) return 'a folder'
  if (entry.isSymbolicLink()) return 'a symbolic link'
  if (entry.isFIFO()) return 'a named pipe'
  if (entry.isSocket()) return 'a socket'
  return 'a device'
}
