// The rows of the catalog that remember kept uploads: those that outlive connections and restarts.
// Knows which checkpoints there are; what is in the lanes' files is kept-uploads.ts's. Functions
// that write run inside `catalog.write`.
import type { Catalog } from './catalog.ts'

/** A node keeps this many: the newest may have reached some nodes only, the one before all. */
const POINTS = 2

const TABLES = `
CREATE TABLE IF NOT EXISTS kept (
  id         BLOB PRIMARY KEY,
  user       TEXT NOT NULL,
  first      INTEGER NOT NULL,
  takes      INTEGER NOT NULL, -- how often somebody began to write to it
  expires_ms INTEGER NOT NULL,
  is_done    INTEGER NOT NULL  -- 1: the file is stored, and this only remembers it
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kept_by_user ON kept (user, id);
CREATE INDEX IF NOT EXISTS kept_by_expiry ON kept (expires_ms);
CREATE INDEX IF NOT EXISTS kept_unfinished ON kept (user) WHERE is_done = 0;

CREATE TABLE IF NOT EXISTS kept_points (
  upload BLOB NOT NULL,
  number INTEGER NOT NULL,
  rows   INTEGER NOT NULL,
  lanes  TEXT NOT NULL, -- JSON: bytes, pieceBytes and checksum of the two lanes
  sealed BLOB NOT NULL,
  tail_0 BLOB,          -- pieces of the row that is not full, each with its CRC-32
  tail_1 BLOB,
  PRIMARY KEY (upload, number)
) STRICT;
`

export interface KeptRow {
  id: Uint8Array
  user: string
  first: number
  takes: number
  expires_ms: number
  is_done: 0 | 1
}

/** What one lane's file holds at a checkpoint. */
export interface LaneProgress {
  bytes: number
  pieceBytes: number
  checksum: number
}

export interface KeptPoint {
  number: number
  rows: number
  lanes: readonly [LaneProgress, LaneProgress]
  sealed: Uint8Array
  /** Two pieces, each followed by its CRC-32; absent where every row is full. */
  tail: readonly [Uint8Array, Uint8Array] | undefined
}

export type KeptTable = ReturnType<typeof createKeptTable>

/** Makes the tables where they are not there yet. */
export function createKeptTable(catalog: Catalog) {
  catalog.database.exec(TABLES)
  const sql = (text: string) => catalog.database.prepare(text)
  const statements = {
    one: sql('SELECT * FROM kept WHERE id = ?'),
    insert: sql('INSERT INTO kept VALUES (?, ?, ?, 0, ?, 0)'),
    take: sql('UPDATE kept SET takes = takes + 1 WHERE id = ?'),
    extend: sql('UPDATE kept SET expires_ms = ?, is_done = ? WHERE id = ?'),
    remove: sql('DELETE FROM kept WHERE id = ?'),
    count: sql('SELECT count(*) AS count FROM kept WHERE is_done = 0'),
    countOf: sql('SELECT count(*) AS count FROM kept WHERE user = ? AND is_done = 0'),
    expired: sql('SELECT * FROM kept WHERE expires_ms < ? ORDER BY expires_ms LIMIT 64'),
    ofUser: sql(
      'SELECT * FROM kept WHERE user = ? AND id > ? AND is_done <= ? ORDER BY id LIMIT ?',
    ),
    points: sql('SELECT * FROM kept_points WHERE upload = ? ORDER BY number'),
    insertPoint: sql('INSERT INTO kept_points VALUES (?, ?, ?, ?, ?, ?, ?)'),
    removePoints: sql('DELETE FROM kept_points WHERE upload = ? AND number BETWEEN ? AND ?'),
  }

  function points(id: Uint8Array): KeptPoint[] {
    return statements.points.all(id).map((row) => {
      const { number, rows, lanes, sealed, tail_0, tail_1 } = row as Record<string, unknown>
      const tail = [tail_0, tail_1] as [Uint8Array, Uint8Array]
      return {
        number: number as number,
        rows: rows as number,
        lanes: JSON.parse(lanes as string),
        sealed: sealed as Uint8Array,
        tail: tail_0 === null ? undefined : tail,
      }
    })
  }

  function addPoint(id: Uint8Array, point: KeptPoint): void {
    const { number, rows, lanes, sealed, tail } = point
    const pieces = [tail?.[0] ?? null, tail?.[1] ?? null]
    statements.insertPoint.run(id, number, rows, JSON.stringify(lanes), sealed, ...pieces)
    statements.removePoints.run(id, 0, number - POINTS)
  }

  return {
    points,
    addPoint,
    find: (id: Uint8Array) => statements.one.get(id) as KeptRow | undefined,
    count: () => (statements.count.get() as { count: number }).count,
    countOf: (user: string) => (statements.countOf.get(user) as { count: number }).count,
    expired: (nowMs: number) => statements.expired.all(nowMs) as unknown as KeptRow[],
    /** In order of id, after `after`; without those that are done unless `withDone`. */
    ofUser: (user: string, after: Uint8Array, options: { limit: number; withDone: boolean }) =>
      statements.ofUser.all(
        user,
        after,
        options.withDone ? 1 : 0,
        options.limit,
      ) as unknown as KeptRow[],
    insert(row: Pick<KeptRow, 'id' | 'user' | 'first' | 'expires_ms'>): void {
      statements.insert.run(row.id, row.user, row.first, row.expires_ms)
    },
    take: (id: Uint8Array) => void statements.take.run(id),
    extend: (id: Uint8Array, expiresMs: number) => void statements.extend.run(expiresMs, 0, id),
    /** Forgets the points after `number`. */
    goBack: (id: Uint8Array, number: number) =>
      void statements.removePoints.run(id, number + 1, Number.MAX_SAFE_INTEGER),
    /** Remembers of an upload only that it is done, and what `sealed` says of it. */
    finish(id: Uint8Array, expiresMs: number, sealed: Uint8Array): void {
      statements.extend.run(expiresMs, 1, id)
      statements.removePoints.run(id, 0, Number.MAX_SAFE_INTEGER)
      const nothing = { bytes: 0, pieceBytes: 0, checksum: 0 }
      const lanes = [nothing, nothing] as const
      addPoint(id, { number: 0, rows: 0, lanes, sealed, tail: undefined })
    },
    remove(id: Uint8Array): void {
      statements.removePoints.run(id, 0, Number.MAX_SAFE_INTEGER)
      statements.remove.run(id)
    },
  }
}
