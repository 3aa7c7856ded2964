import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isRegistryError } from '@registry/types'
import { bytes } from '../output.ts'
import { type Finding, ok } from './examine.ts'

const LOW_BYTES = 1024 ** 3
const NO_BYTES = 64 * 1024 ** 2
/** Anybody but the user of the file. */
const OTHERS = 0o077

export async function examineDataDir(dataDir: string): Promise<Finding[]> {
  const existing = await nearestExisting(dataDir)
  return [await examineRights(dataDir, existing), await examineSpace(existing)]
}

/** A key that is there must be whole, and nobody else's to read; one that is not is made by the first start. */
export async function examineKey(
  check: string,
  path: string,
  load: (path: string) => Promise<void>
): Promise<Finding> {
  const found = await modeOf(path)
  if (found === undefined) return ok(check, 'None yet; the first start makes it.')
  try {
    await load(path)
  } catch (error) {
    if (!isRegistryError(error)) throw error
    const { message, hint = '' } = error
    return { check, status: 'fail', message: `${message}.`, hint }
  }
  if ((found & OTHERS) === 0) return ok(check, path)
  return { check, status: 'warn', message: `Others may read ${path}.`, hint: `chmod 600 ${path}` }
}

async function examineRights(dataDir: string, existing: string): Promise<Finding> {
  const check = 'data folder'
  try {
    await access(existing, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    return {
      check,
      status: 'fail',
      message: `${existing} is not for this user to write to.`,
      hint: 'Give this user the right, or choose another folder with --data-dir.'
    }
  }
  if (existing !== dataDir) return ok(check, `${dataDir}, made by the first start.`)
  if (((await modeOf(dataDir)) ?? 0) & OTHERS) {
    return {
      check,
      status: 'warn',
      message: `Others may look into ${dataDir}.`,
      hint: `chmod 700 ${dataDir}`
    }
  }
  return ok(check, dataDir)
}

async function examineSpace(folder: string): Promise<Finding> {
  const check = 'free space'
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (free >= LOW_BYTES) return ok(check, bytes(free))
  const hint = 'Free some space, or lower storage.quotaBytes.'
  return { check, status: free < NO_BYTES ? 'fail' : 'warn', message: `Only ${bytes(free)}.`, hint }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    const { mode } = await stat(path)
    // Windows has no such bits.
    return process.platform === 'win32' ? 0 : mode
  } catch {
    return undefined
  }
}

async function nearestExisting(path: string): Promise<string> {
  const isThere = (await modeOf(path)) !== undefined
  return isThere || dirname(path) === path ? path : nearestExisting(dirname(path))
}
