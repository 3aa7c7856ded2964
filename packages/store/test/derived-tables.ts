import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * The tables that are derived from the records, but for the numbers that are a peer's own. Throws when the file, or the
 * search index in it, is not sound.
 */
export function derivedTables(dataDir: string): unknown {
  const db = new DatabaseSync(join(dataDir, 'catalogue.sqlite'), { readOnly: true })
  try {
    const [sound] = db.prepare('PRAGMA integrity_check').all()
    if (sound?.integrity_check !== 'ok') throw new Error(String(sound?.integrity_check))
    return [
      'SELECT * FROM owners ORDER BY owner',
      'SELECT owner, name, category, updated_ms FROM packages ORDER BY owner, name',
      'SELECT version, payload, record, conflicted FROM releases ORDER BY payload',
      'SELECT * FROM dependents ORDER BY name',
      'SELECT row, plain_name, name_words FROM search_rows ORDER BY row',
      'SELECT rowid, * FROM search_words ORDER BY rowid'
    ].map((sql) => db.prepare(sql).all())
  } finally {
    db.close()
  }
}
