import { type Database, integerOf } from './database.ts'
import { NewerSchemaError } from './errors.ts'

/**
 * The migrations of the catalogue file, oldest first; SQLite's `user_version` counts those it has had. Never edit one
 * that was released: append.
 *
 * The peer's own state: `records`, `downloads`, `contents` … `pins`, `outbox`. Derived from the records, and made anew
 * from them when in doubt: `owners`, `packages`, `releases`, `dependents`, and what the search index keeps.
 */
const MIGRATIONS: readonly string[] = [
  `
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
]

/** Brings the file to the newest schema; each migration is a transaction. */
export function migrate(db: Database): void {
  const row = db.get('PRAGMA user_version')
  const done = row === undefined ? 0 : integerOf(row, 'user_version')
  if (done > MIGRATIONS.length) throw new NewerSchemaError(db.path, done)
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < done) continue
    db.transaction('power', () => {
      db.exec(sql)
      db.exec(`PRAGMA user_version = ${index + 1}`)
    })
  }
}
