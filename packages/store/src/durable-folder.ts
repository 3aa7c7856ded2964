import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

// Windows gives no handle of a folder, and needs none to keep what is in it.
const CAN_SYNC = process.platform !== 'win32'

/** Makes a folder and those above it, as far as they are missing; on disk when it returns. */
export function makeFolder(path: string): void {
  const first = mkdirSync(path, { recursive: true })
  if (first === undefined || !CAN_SYNC) return
  for (let made = resolve(path); ; made = dirname(made)) {
    const parent = openSync(dirname(made), 'r')
    try {
      fsyncSync(parent)
    } finally {
      closeSync(parent)
    }
    if (made === resolve(first)) return
  }
}

/** Brings the names in a folder to disk. */
export async function syncFolder(path: string): Promise<void> {
  if (!CAN_SYNC) return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
