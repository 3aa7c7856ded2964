import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Finding, ok } from './examine.ts'

const CHECK = 'catalogue'

/** Whether the file of the catalogue is whole, page by page; nothing of it is changed. */
export async function examineCatalogue(dataDir: string): Promise<Finding> {
  const path = join(dataDir, 'catalogue.sqlite')
  if (!existsSync(path)) return ok(CHECK, 'None yet; the first start makes it.')
  // Loaded by those who look into it only: it is large, and Node warns of it.
  const { DatabaseSync } = await import('node:sqlite')
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
    try {
      const found = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})
      return found[0] === 'ok' ? ok(CHECK, path) : damaged(path, String(found[0]))
    } finally {
      database.close()
    }
  } catch (error) {
    return damaged(path, error instanceof Error ? error.message : String(error))
  }
}

function damaged(path: string, reason: string): Finding {
  return {
    check: CHECK,
    status: 'fail',
    message: `${path} cannot be used: ${reason.split('\n')[0]}.`,
    hint: 'Move it away and start again: what other peers have comes back by itself, and what a file has by registry catalogue import.'
  }
}
