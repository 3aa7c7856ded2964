import { type Database, integerOf } from './database.ts'
import { NewerSchemaError } from './errors.ts'

export interface Migration {
  sql: string
  /** The views are to be made anew from the records afterwards. */
  rebuild: boolean
}

/**
 * The migrations of the catalogue file, oldest first; SQLite's `user_version` counts those it has had. Never edit one
 * that was released: append.
 *
 * The peer's own state: `records` but for the columns said to be views, `downloads`, `contents` … `pins`, `outbox`. Views
 * of the records, made anew from them when in doubt: those columns, `record_set`, `owners`, `packages` and
 * `dependents`.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    rebuild: false,
    sql: `
  CREATE TABLE records (
    id BLOB NOT NULL UNIQUE,        -- the digest in the record ID
    kind TEXT NOT NULL,
    release INTEGER,                -- sequence of the release it states; one for all envelopes with the same payload
    seen_ms INTEGER NOT NULL,
    envelope BLOB NOT NULL
  );
  CREATE UNIQUE INDEX records_by_kind ON records (kind, id);

  CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    record BLOB NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE packages (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    first INTEGER NOT NULL,         -- sequence of the first release seen here
    latest INTEGER NOT NULL,        -- sequence of the release that stands for the package
    category TEXT NOT NULL,         -- of that release, as is the next
    updated_ms INTEGER NOT NULL,
    UNIQUE (owner, name)
  );
  CREATE INDEX packages_by_name ON packages (name, owner);
  CREATE INDEX packages_by_update ON packages (updated_ms DESC, name, owner);
  CREATE INDEX packages_by_category ON packages (category, updated_ms DESC, name, owner);

  CREATE TABLE releases (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    package INTEGER NOT NULL,
    version TEXT NOT NULL,
    payload BLOB NOT NULL,          -- sha2-256 of what was signed
    record BLOB NOT NULL,           -- the smallest of its records
    conflicted INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL
  );
  CREATE INDEX releases_by_package ON releases (package, version);

  CREATE TABLE dependents (
    name TEXT PRIMARY KEY,
    count INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE downloads (
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (owner, name)
  ) WITHOUT ROWID;

  CREATE TABLE contents (
    cid TEXT PRIMARY KEY,
    complete INTEGER NOT NULL,
    size INTEGER NOT NULL,          -- 0 and an empty text until complete
    integrity TEXT NOT NULL,
    used_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX contents_by_use ON contents (complete, used_ms);

  CREATE TABLE blocks (
    cid TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    bytes BLOB                      -- absent: in a file of its own
  );

  CREATE TABLE content_blocks (
    content TEXT NOT NULL,
    block TEXT NOT NULL,
    PRIMARY KEY (content, block)
  ) WITHOUT ROWID;
  CREATE INDEX content_blocks_by_block ON content_blocks (block, content);

  CREATE TABLE pins (cid TEXT PRIMARY KEY) WITHOUT ROWID;

  CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    record BLOB NOT NULL,
    content TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    pushed INTEGER NOT NULL DEFAULT 0,
    provided INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER NOT NULL
  );
  CREATE INDEX outbox_by_due ON outbox (due_ms, sequence);

  -- Of the search index. A row is a package, rows in the order in which candidates are taken.
  CREATE TABLE search_rows (
    row INTEGER PRIMARY KEY,
    package INTEGER NOT NULL UNIQUE,
    plain_name TEXT NOT NULL,
    name_words TEXT NOT NULL
  );
  CREATE INDEX search_rows_by_name ON search_rows (plain_name);
  CREATE VIRTUAL TABLE search_words USING fts5 (
    name, labels, description, filters, tokenize = 'ascii', prefix = '2 3'
  );
  CREATE VIRTUAL TABLE search_names USING fts5 (
    name, tokenize = 'trigram', content = '', contentless_delete = 1
  );
  `
  },
  {
    rebuild: true,
    sql: `
  DROP TABLE search_rows;
  DROP TABLE search_words;
  DROP TABLE search_names;
  DROP TABLE owners;
  DROP TABLE packages;
  DROP TABLE releases;
  DROP TABLE dependents;
  ALTER TABLE records RENAME TO old_records;
  ALTER TABLE pins RENAME TO old_pins;
  ALTER TABLE outbox RENAME TO old_outbox;

  CREATE TABLE records (
    -- In the order of arrival: from 1 up, and never given twice, what is told as a change; from -1 down the rest, which
    -- is owners, and further envelopes around a release that was here.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,          -- index in RECORD_KINDS
    id BLOB NOT NULL,               -- the digest in the record ID
    place INTEGER,                  -- view: that of the package; null for an owner, as is the next
    package INTEGER,                -- view: what it is about
    field TEXT,                     -- view: the owner founded; the version released; the field of a statement; else null
    seq INTEGER,                    -- view: of a statement
    says INTEGER,                   -- view: of a statement: 0 when it only takes back
    seen_ms INTEGER NOT NULL,       -- of a further envelope that of the first
    envelope BLOB NOT NULL
  );
  INSERT INTO records (number, kind, id, seen_ms, envelope)
    SELECT CASE WHEN release IS NULL OR again > 1 THEN -arrival ELSE release END,
      CASE kind WHEN 'owner' THEN 0 ELSE 1 END, id, seen_ms, envelope
    FROM (
      SELECT *, rowid AS arrival, row_number() OVER (PARTITION BY release ORDER BY rowid) AS again FROM old_records
    );
  DROP TABLE old_records;
  CREATE UNIQUE INDEX records_by_kind ON records (kind, id, place);
  CREATE INDEX records_by_package ON records (package, kind, field) WHERE package IS NOT NULL;
  CREATE INDEX records_by_founded ON records (field) WHERE kind = 0;

  -- One row: what of all records is changed with each transaction, so that a start need not count it.
  CREATE TABLE record_set (
    records INTEGER NOT NULL,
    fingerprint BLOB NOT NULL
  );
  INSERT INTO record_set VALUES (0, zeroblob(32));

  CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    record INTEGER NOT NULL         -- number of the record with the smallest ID
  ) WITHOUT ROWID;

  -- All that a record was ever about, also what has no release.
  CREATE TABLE packages (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    place INTEGER NOT NULL,         -- the first 32 bits of the name's sha2-256
    latest INTEGER,                 -- number of the release that stands for it; null when it is not listed
    live INTEGER NOT NULL,          -- releases that are not unpublished
    plain INTEGER NOT NULL,         -- 1: no statement about it, and one record for each version
    changed INTEGER NOT NULL,       -- the last transaction that changed how it is found, counted from 1
    UNIQUE (owner, name)
  );
  CREATE INDEX packages_by_name ON packages (name, owner);

  CREATE TABLE dependents (
    name TEXT PRIMARY KEY,
    count INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE pins (
    cid TEXT NOT NULL,
    holder BLOB NOT NULL,           -- the digest in the ID of the release that was published; empty for any other pin
    PRIMARY KEY (cid, holder)
  ) WITHOUT ROWID;
  INSERT INTO pins SELECT cid, x'' FROM old_pins;
  DROP TABLE old_pins;

  CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    record BLOB NOT NULL,
    content TEXT,                   -- of a release
    attempts INTEGER NOT NULL DEFAULT 0,
    pushed INTEGER NOT NULL DEFAULT 0,
    provided INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER NOT NULL
  );
  INSERT INTO outbox SELECT * FROM old_outbox;
  DROP TABLE old_outbox;
  CREATE INDEX outbox_by_due ON outbox (due_ms, sequence);
  `
  },
  {
    rebuild: false,
    sql: 'CREATE INDEX contents_by_integrity ON contents (integrity) WHERE complete = 1;'
  }
]

/**
 * Brings the file to the newest schema; each migration is a transaction. Calls `onStale` before one after which the views
 * are to be made anew.
 */
export function migrate(db: Database, onStale: () => void): void {
  const row = db.get('PRAGMA user_version')
  const done = row === undefined ? 0 : integerOf(row, 'user_version')
  if (done > MIGRATIONS.length) throw new NewerSchemaError(db.path, done)
  for (const [index, { sql, rebuild }] of MIGRATIONS.entries()) {
    if (index < done) continue
    // A new file has no records.
    if (rebuild && done > 0) onStale()
    db.transaction('power', () => {
      db.exec(sql)
      db.exec(`PRAGMA user_version = ${index + 1}`)
    })
  }
}
