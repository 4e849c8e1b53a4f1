// What work in the background remembers across restarts: numbers by name, how many parts are
// missing, and which parts are damaged here or lost on both nodes. Knows nothing of the work
// itself. Functions whose name begins with `apply` run inside `catalog.write`.
import type { Catalog } from './catalog.ts'

/** Of a row in `damage`. A part that is missing and may be had from its twin has no row. */
export const Damage = {
  /** Some pieces are not what was stored; the twin's are to replace them. */
  waiting: 0,
  /** As `waiting`, but the twin's are gone or damaged as well. */
  lost: 1,
  /** The part is not here, and the twin has none either. */
  lostMissing: 2,
  /** The part is not here, which scrub found; its pieces count when they are back. */
  gone: 3,
} as const
export type Damage = (typeof Damage)[keyof typeof Damage]

export interface DamagedPart {
  /** As of the table `parts`: entry * 4 + part - 1. */
  id: number
  /** Pieces that were found damaged; 0 where a reader met the first and did not count. */
  pieces: number
  state: Damage
  since_ms: number
}

const lackOf = (row: 'NEW' | 'OLD') => {
  const bits = [0, 1, 2, 3].map((bit) => `((${row}.parts >> ${bit}) & 1)`).join(' + ')
  return `(CASE ${row}.state WHEN 1 THEN max(0, 2 - (${bits})) ELSE 0 END)`
}

const count = (sign: '+' | '-', row: 'NEW' | 'OLD') => `
  UPDATE meta SET value = value ${sign} ${lackOf(row)} WHERE name = 'missing_parts';
  UPDATE meta SET value = value ${sign} ${lackOf(row)} * ${row}.rows WHERE name = 'missing_rows';`

/** Triggers keep the counts, so that asking costs nothing however much is missing. */
const TABLES = `
CREATE TABLE IF NOT EXISTS work (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS damage (
  id       INTEGER PRIMARY KEY, -- as of parts
  pieces   INTEGER NOT NULL,
  state    INTEGER NOT NULL,    -- 0 damaged, 1 lost, 2 missing and lost, 3 missing
  since_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS damage_by_state ON damage (state, id);

CREATE TABLE IF NOT EXISTS collected (
  user   TEXT PRIMARY KEY,
  change INTEGER NOT NULL -- the user's tombstones up to here may have been forgotten
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS parts_in_files ON parts (id) WHERE data IS NULL;
CREATE INDEX IF NOT EXISTS accounts_gone ON accounts (place) WHERE state = 3;
CREATE INDEX IF NOT EXISTS entries_deleted ON entries (change) WHERE state = 2;

CREATE TRIGGER IF NOT EXISTS lack_added AFTER INSERT ON entries
WHEN ${lackOf('NEW')} > 0 BEGIN ${count('+', 'NEW')} END;
CREATE TRIGGER IF NOT EXISTS lack_removed AFTER DELETE ON entries
WHEN ${lackOf('OLD')} > 0 BEGIN ${count('-', 'OLD')} END;
CREATE TRIGGER IF NOT EXISTS lack_changed AFTER UPDATE OF state, parts ON entries
WHEN ${lackOf('OLD')} <> ${lackOf('NEW')} BEGIN ${count('-', 'OLD')} ${count('+', 'NEW')} END;

CREATE TRIGGER IF NOT EXISTS damage_replaced AFTER INSERT ON parts BEGIN
  DELETE FROM damage WHERE id = NEW.id;
END;
CREATE TRIGGER IF NOT EXISTS damage_removed AFTER DELETE ON parts BEGIN
  DELETE FROM damage WHERE id = OLD.id;
END;
CREATE TRIGGER IF NOT EXISTS damage_forgotten AFTER DELETE ON entries WHEN OLD.state = 1 BEGIN
  DELETE FROM damage WHERE id BETWEEN OLD.id * 4 AND OLD.id * 4 + 3;
END;
`

/** For a folder whose catalog was made before these counts were kept. */
const FIRST_COUNTS = `
INSERT INTO meta
  SELECT 'missing_parts', coalesce(sum(CASE parts WHEN 0 THEN 2 ELSE 1 END), 0)
  FROM entries WHERE state = 1 AND parts NOT IN (3, 6, 9, 12);
INSERT INTO meta
  SELECT 'missing_rows', coalesce(sum(CASE parts WHEN 0 THEN 2 ELSE 1 END * rows), 0)
  FROM entries WHERE state = 1 AND parts NOT IN (3, 6, 9, 12);
`

export type Ledger = ReturnType<typeof createLedger>

/** Makes the tables where they are not there yet. */
export function createLedger(catalog: Catalog) {
  const { database } = catalog
  makeTables(catalog)
  const sql = (text: string) => database.prepare(text)
  const statements = {
    meta: sql('SELECT value FROM meta WHERE name = ?'),
    get: sql('SELECT value FROM work WHERE name = ?'),
    set: sql('INSERT OR REPLACE INTO work (name, value) VALUES (?, ?)'),
    add: sql(
      `INSERT INTO work (name, value) VALUES (?1, ?2)
       ON CONFLICT (name) DO UPDATE SET value = value + ?2`,
    ),
    unset: sql('DELETE FROM work WHERE name = ?'),
    damage: sql('SELECT * FROM damage WHERE id = ?'),
    damaged: sql('SELECT * FROM damage WHERE state = ? AND id > ? ORDER BY id LIMIT ?'),
    count: sql('SELECT count(*) AS count FROM damage WHERE state = ?'),
    pieces: sql(
      'SELECT coalesce(sum(max(pieces, 1)), 0) AS count FROM damage WHERE state IN (1, 2)',
    ),
    put: sql('INSERT OR REPLACE INTO damage (id, pieces, state, since_ms) VALUES (?, ?, ?, ?)'),
    remove: sql('DELETE FROM damage WHERE id = ?'),
  }
  const countOf = (state: Damage) => (statements.count.get(state) as { count: number }).count
  const metaOf = (name: string) => (statements.meta.get(name) as { value: number }).value

  return {
    /** A number that was kept, or `otherwise`. */
    get: (name: string, otherwise = 0) =>
      (statements.get.get(name) as { value: number } | undefined)?.value ?? otherwise,
    applySet(numbers: Readonly<Record<string, number | undefined>>): void {
      for (const [name, value] of Object.entries(numbers)) {
        if (value === undefined) statements.unset.run(name)
        else statements.set.run(name, value)
      }
    },
    applyAdd(numbers: Readonly<Record<string, number>>): void {
      for (const [name, value] of Object.entries(numbers)) statements.add.run(name, value)
    },
    /** Parts that entries here lack, and the rows of these. */
    missing: () => ({ parts: metaOf('missing_parts'), rows: metaOf('missing_rows') }),
    damageOf: (id: number) => statements.damage.get(id) as DamagedPart | undefined,
    damaged: (state: Damage, after: number, limit: number) =>
      statements.damaged.all(state, after, limit) as unknown as DamagedPart[],
    countOf,
    lostParts: () => countOf(Damage.lost) + countOf(Damage.lostMissing),
    lostPieces: () => (statements.pieces.get() as { count: number }).count,
    applyDamage: (id: number, state: Damage, pieces: number) =>
      void statements.put.run(id, pieces, state, Date.now()),
    applyMended: (id: number) => void statements.remove.run(id),
  }
}

function makeTables({ database }: Catalog): void {
  const isNew =
    database.prepare("SELECT 1 FROM meta WHERE name = 'missing_parts'").get() === undefined
  database.exec(`BEGIN IMMEDIATE; ${TABLES} ${isNew ? FIRST_COUNTS : ''} COMMIT`)
}
