import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * The tables that are views of the records, but for the numbers that are a peer's own. Throws when the file is not sound.
 */
export function derivedTables(dataDir: string): unknown {
  const db = new DatabaseSync(join(dataDir, 'catalogue.sqlite'), { readOnly: true })
  try {
    const [sound] = db.prepare('PRAGMA integrity_check').all()
    if (sound?.integrity_check !== 'ok') throw new Error(String(sound?.integrity_check))
    return [
      `SELECT kind, records.id, records.place, field, seq, owner, name
       FROM records LEFT JOIN packages ON packages.id = package ORDER BY records.id`,
      'SELECT owner, records.id FROM owners JOIN records ON number = record ORDER BY owner',
      `SELECT owner, name, packages.place, records.id AS latest, live, plain
       FROM packages LEFT JOIN records ON number = latest ORDER BY owner, name`,
      'SELECT * FROM dependents ORDER BY name'
    ].map((sql) => db.prepare(sql).all())
  } finally {
    db.close()
  }
}
