// The node's catalog: one SQLite database that this process alone holds. Opens it, makes its tables
// and numbers the changes. What the tables mean to accounts and files is theirs to know.
//
// Locking: `locking_mode=EXCLUSIVE` keeps SQLite's lock for as long as the process lives, which is
// also the lock of the whole folder. POSIX drops it when ANY descriptor of the file is closed by
// this process, so nothing else here may open catalog.sqlite.
import { DatabaseSync } from 'node:sqlite'
import { toDiskError } from './durable.ts'
import { createGroupCommit, type GroupCommit } from './group-commit.ts'
import { DfsError } from './protocol/index.ts'

/** Version of everything below a node's folder: catalog tables, part files, names. */
export const FORMAT = 2

const SQLITE_BUSY = 5

const TABLES = `
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('change', 0), ('files', 0), ('stored_bytes', 0);

CREATE TABLE accounts (
  user        TEXT NOT NULL,
  state       INTEGER NOT NULL, -- 0 prepared, 1 committed, 2 being removed, 3 removed
  change      INTEGER NOT NULL,
  salt        BLOB NOT NULL,
  rounds      INTEGER NOT NULL,
  stored_keys BLOB NOT NULL,    -- of DFS1 to DFS4, 32 bytes each
  wrapped_key BLOB NOT NULL,
  since_ms    INTEGER NOT NULL,
  place       INTEGER NOT NULL, -- a change number: the order in which peers hear of it
  PRIMARY KEY (user, state)
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_by_place ON accounts (place) WHERE state IN (1, 3);

CREATE TABLE entries (
  id       INTEGER PRIMARY KEY,
  user     TEXT NOT NULL,
  file     BLOB NOT NULL,
  version  BLOB NOT NULL,
  state    INTEGER NOT NULL, -- 0 prepared, 1 committed, 2 deleted
  x        INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  rows     INTEGER NOT NULL,
  parts    INTEGER NOT NULL, -- bit p-1: part p is held
  change   INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  key      BLOB, -- names the part files; null where there are none
  sealed   BLOB NOT NULL,
  pledged  INTEGER NOT NULL DEFAULT 0, -- 1: promised to peers, no client may abort it
  UNIQUE (user, file, version)
) STRICT;
CREATE INDEX entries_by_change ON entries (user, change);
CREATE INDEX entries_decided ON entries (change) WHERE state > 0;
CREATE INDEX entries_undecided ON entries (since_ms) WHERE state = 0;
CREATE INDEX entries_lacking ON entries (id, parts) WHERE state = 1 AND parts NOT IN (3, 6, 9, 12);
CREATE INDEX entries_by_key ON entries (key) WHERE key IS NOT NULL;

CREATE TABLE parts (
  id          INTEGER PRIMARY KEY, -- entry * 4 + part - 1
  bytes       INTEGER NOT NULL,    -- of all pieces, without their checksums
  piece_bytes INTEGER NOT NULL,    -- of every piece but the last
  checksum    INTEGER NOT NULL,    -- CRC-32 over the CRC-32s of the pieces
  data        BLOB                 -- what the part file would hold; null where there is a file
) STRICT;

CREATE TABLE refusals (
  user     TEXT NOT NULL,
  file     BLOB NOT NULL,
  version  BLOB NOT NULL, -- never to be prepared here
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (user, file, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE peers (
  node     INTEGER PRIMARY KEY,
  epoch    BLOB NOT NULL,    -- of the folder that the cursors belong to
  accounts INTEGER NOT NULL, -- cursors: what was told up to here is durable here
  entries  INTEGER NOT NULL
) STRICT;

CREATE TRIGGER part_added AFTER INSERT ON parts BEGIN
  UPDATE meta SET value = value + NEW.bytes WHERE name = 'stored_bytes';
END;
CREATE TRIGGER part_removed AFTER DELETE ON parts BEGIN
  UPDATE meta SET value = value - OLD.bytes WHERE name = 'stored_bytes';
END;
CREATE TRIGGER file_committed AFTER UPDATE OF state ON entries WHEN NEW.state = 1 BEGIN
  UPDATE meta SET value = value + 1 WHERE name = 'files';
END;
CREATE TRIGGER file_removed AFTER DELETE ON entries WHEN OLD.state = 1 BEGIN
  UPDATE meta SET value = value - 1 WHERE name = 'files';
END;
PRAGMA user_version = ${FORMAT};
`

/** What came later, and needs no other format: a folder without it gets it when it is opened. */
const ADDED_TABLES = `
CREATE TABLE IF NOT EXISTS moves (
  user           TEXT NOT NULL, -- with file and version: a prepared entry
  file           BLOB NOT NULL,
  version        BLOB NOT NULL,
  source         BLOB NOT NULL, -- the file that this version of ends with the entry's commit
  source_version BLOB NOT NULL,
  since_ms       INTEGER NOT NULL,
  PRIMARY KEY (user, file, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS moves_by_source ON moves (user, source);
CREATE TRIGGER IF NOT EXISTS move_dropped AFTER DELETE ON entries WHEN OLD.state = 0 BEGIN
  DELETE FROM moves WHERE user = OLD.user AND file = OLD.file AND version = OLD.version;
END;
`

export interface Catalog {
  database: DatabaseSync
  /** The only ways to write. */
  write: GroupCommit['write']
  writeAlone: GroupCommit['writeAlone']
  /** A number greater than any before, for what changes in the present write. */
  nextChange(): number
  /** The last of these numbers that is on the disk. */
  lastChange(): number
  /** Whether nothing was ever written. */
  isEmpty(): boolean
  /** `files` and `storedBytes`, kept by triggers so that asking costs nothing. */
  totals(): { files: number; storedBytes: number }
  close(): void
}

/**
 * Opens or makes the catalog at `path` and takes the lock of the folder.
 * @throws DfsError FOLDER_IN_USE, FOLDER_FOREIGN (another format), DISK_FAILED, NO_SPACE
 */
export function openCatalog(path: string): Catalog {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    lockDatabase(database)
    foldLog(database)
    makeTables(database)
    return catalogOf(database)
  } catch (error) {
    database?.close()
    if (isBusy(error)) {
      throw new DfsError('FOLDER_IN_USE', 'Another process has this folder open.', { cause: error })
    }
    throw toDiskError(error, 'opening the catalog')
  }
}

function lockDatabase(database: DatabaseSync): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec('PRAGMA temp_store = MEMORY')
  // 16 MiB of pages; a log above 8 MiB is folded into the database, and 64 MiB of it are kept at
  // most.
  database.exec('PRAGMA cache_size = -16384')
  database.exec('PRAGMA wal_autocheckpoint = 2000')
  database.exec('PRAGMA journal_size_limit = 67108864')
  database.exec('BEGIN IMMEDIATE; COMMIT')
}

/**
 * Begins with an empty log. After a sync that failed, the system may still show pages that are not
 * on the disk and never will be; what follows them in the log would be lost with them. Folding
 * writes all of it anew, and syncs it.
 */
function foldLog(database: DatabaseSync): void {
  try {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch (error) {
    // With no room the log stays as it is; reading goes on, and so does what fits.
    if (toDiskError(error, 'opening the catalog').code !== 'NO_SPACE') throw error
  }
}

function makeTables(database: DatabaseSync): void {
  const found = database.prepare('PRAGMA user_version').get() as { user_version: number }
  if (found.user_version !== 0 && found.user_version !== FORMAT) {
    const message = `The catalog is of format ${found.user_version}; this release reads ${FORMAT}.`
    throw new DfsError('FOLDER_FOREIGN', message)
  }
  const tables = found.user_version === 0 ? TABLES : ''
  database.exec(`BEGIN IMMEDIATE; ${tables} ${ADDED_TABLES} COMMIT`)
}

function catalogOf(database: DatabaseSync): Catalog {
  const meta = database.prepare('SELECT value FROM meta WHERE name = ?')
  const setMeta = database.prepare('UPDATE meta SET value = ? WHERE name = ?')
  const metaOf = (name: string) => (meta.get(name) as { value: number }).value
  let change = metaOf('change')
  let durableChange = change
  const commits = createGroupCommit({
    database,
    beforeCommit() {
      // A number that a failed transaction used up is skipped, never given twice.
      if (change === durableChange) return
      setMeta.run(change, 'change')
      durableChange = change
    },
  })
  return {
    database,
    write: commits.write,
    writeAlone: commits.writeAlone,
    nextChange: () => ++change,
    lastChange: () => metaOf('change'),
    isEmpty: () => metaOf('change') === 0,
    totals: () => ({ files: metaOf('files'), storedBytes: metaOf('stored_bytes') }),
    close() {
      commits.close()
      database.close()
    },
  }
}

function isBusy(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode !== undefined && errcode % 256 === SQLITE_BUSY
}
