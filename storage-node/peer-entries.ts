// The entries of the catalog as peers see and change them: what is decided here, what is only
// prepared and waits for a decision, and which parts this node should hold and does not. Functions
// whose name begins with `apply` run inside `catalog.write`; nothing here touches part files.
import type { Catalog } from './catalog.ts'
import {
  type Doomed,
  type EntryRow,
  type EntryTable,
  isNewer,
  partsIn,
  State,
  type StoredPart,
  type VersionName,
} from './entry-table.ts'
import { type PeerEntry, partsOfNode, type Standing, versionTimeMs } from './protocol/index.ts'

/** How long a version stays refused: no client sends the same `prepare` after so long a silence. */
const REFUSED_MS = 30 * 24 * 3_600_000

/** A committed version of which parts are missing here. */
export interface Lack extends VersionName {
  id: number
  x: number
  first: number
  rows: number
  /** 1..4 */
  missing: number[]
}

/** A part that should be a file. */
export interface HeldFile {
  /** A cursor: of entry and part. */
  id: number
  name: VersionName
  key: Uint8Array
  part: number
  rows: number
  bytes: number
}

export type PeerEntryBook = ReturnType<typeof createPeerEntries>

export function createPeerEntries(options: {
  catalog: Catalog
  table: EntryTable
  /** 1..4 */
  node: number
  /** When the folder was made. */
  createdMs: number
}) {
  const { catalog, table, node, createdMs } = options
  const sql = (text: string) => catalog.database.prepare(text)
  // The same words as in the index, so that SQLite sees that it may use it.
  const isLacking = 'state = 1 AND parts NOT IN (3, 6, 9, 12)'
  const statements = {
    decided: sql('SELECT * FROM entries WHERE state > 0 AND change > ? ORDER BY change LIMIT ?'),
    undecided: sql('SELECT * FROM entries WHERE state = 0 ORDER BY since_ms LIMIT ?'),
    undecidedCount: sql('SELECT count(*) AS count FROM entries WHERE state = 0'),
    lacking: sql(`SELECT * FROM entries WHERE ${isLacking} AND id > ? ORDER BY id LIMIT ?`),
    lackingCount: sql(
      `SELECT coalesce(sum(CASE parts WHEN 0 THEN 2 ELSE 1 END), 0) AS count
       FROM entries WHERE ${isLacking}`,
    ),
    files: sql('SELECT id, bytes FROM parts WHERE data IS NULL AND id > ? ORDER BY id LIMIT ?'),
    pledge: sql('UPDATE entries SET pledged = 1 WHERE id = ?'),
    refuse: sql('INSERT OR REPLACE INTO refusals (user, file, version, since_ms) VALUES (?,?,?,?)'),
    forgive: sql('DELETE FROM refusals WHERE since_ms < ?'),
  }

  /** What was decided after the cursor `since`, in that order, each with its cursor. */
  function* decidedSince(since: number, limit: number): Generator<[number, PeerEntry]> {
    for (const row of statements.decided.iterate(since, limit) as Iterable<unknown>) {
      const { user, file, version, change, x, first, rows, sealed } = row as EntryRow
      const state = (row as EntryRow).state === State.deleted ? 'deleted' : 'committed'
      yield [change, { user, file, version, state, x, first, rows, sealed }]
    }
  }

  /** Takes over what a peer says is decided, where it is newer than what is decided here. */
  function applyTold(told: PeerEntry): Doomed[] {
    const { user, file, version, state, x, first, rows, sealed } = told
    const known = table.rowsOf(user, file)
    const decided = known.find((row) => row.state !== State.prepared)
    if (decided !== undefined && !isNewer(version, decided.version)) return []
    const same = table.find(told)
    if (same !== undefined && state === 'committed') return table.commit(same, known)
    const doomed = table.removeOlder(known, version)
    if (same === undefined) {
      // No part is claimed: they are fetched, and held one by one once they are on the disk.
      const entry = { user, file, version, x, first, rows, sealed, key: null, parts: [] }
      table.insert(entry, state === 'committed' ? State.committed : State.deleted)
    }
    return doomed
  }

  function standing(name: VersionName): Standing {
    const row = table.find(name)
    if (row?.state === State.prepared) return 'prepared'
    if (row?.state === State.committed) return 'committed'
    const isSuperseded = table
      .rowsOf(name.user, name.file)
      .some(({ state, version }) => state !== State.prepared && !isNewer(name.version, version))
    if (isSuperseded) return 'superseded'
    if (table.isRefused(name)) return 'refused'
    return versionTimeMs(name.version) < createdMs ? 'blank' : 'unknown'
  }

  /**
   * As `standing`, and binding: what is prepared stays until it is decided, whatever clients say;
   * what is unknown is refused from now on.
   */
  function applyPledge(name: VersionName): Standing {
    const now = standing(name)
    if (now === 'prepared') statements.pledge.run(table.find(name)!.id)
    if (now !== 'unknown') return now
    statements.refuse.run(name.user, name.file, name.version, Date.now())
    return 'refused'
  }

  /** Drops a version that is only prepared, pledged or not. */
  function applyDrop(name: VersionName): Doomed[] {
    const row = table.find(name)
    return row?.state === State.prepared ? table.removeRow(row) : []
  }

  /** Committed versions with parts missing here, after the cursor `after`. */
  function lacking(after: number, limit: number): Lack[] {
    const rows = statements.lacking.all(after, limit) as unknown as EntryRow[]
    return rows.map(lackOf)
  }

  function lackOf({ id, user, file, version, x, first, rows, parts }: EntryRow): Lack {
    const held = partsIn(parts)
    const missing = partsOfNode(node - 1, x).filter((part) => !held.includes(part))
    return { id, user, file, version, x, first, rows, missing }
  }

  /** The parts after the cursor `after` that should be files. */
  function heldFiles(after: number, limit: number): HeldFile[] {
    const found = statements.files.all(after, limit) as { id: number; bytes: number }[]
    return found.flatMap(({ id, bytes }) => {
      const row = table.findById(Math.floor(id / 4))
      if (row === undefined || row.key === null) return []
      const { user, file, version, key, rows } = row
      return [{ id, name: { user, file, version }, key, part: (id % 4) + 1, rows, bytes }]
    })
  }

  /**
   * Says that a part is held, which is on the disk. Answers false where the version is no longer
   * the file: then the part is nobody's.
   */
  function applyHold(name: VersionName, part: StoredPart, key: Uint8Array | null): boolean {
    const row = table.find(name)
    if (row?.state !== State.committed) return false
    table.holdPart(row, part, key)
    return true
  }

  /** Says that a part is not held after all. */
  function applyLose(name: VersionName, part: number): void {
    const row = table.find(name)
    if (row !== undefined && table.partOf(row, part) !== undefined) table.losePart(row, part)
  }

  const countOf = (statement: ReturnType<typeof sql>) =>
    (statement.get() as { count: number }).count

  return {
    decidedSince,
    applyTold,
    standing,
    applyPledge,
    applyDrop,
    lacking,
    /** What is missing of one version, or undefined where it is not the file. */
    lackOf: (name: VersionName, part: number): Lack | undefined => {
      const row = table.find(name)
      return row?.state === State.committed ? { ...lackOf(row), missing: [part] } : undefined
    },
    heldFiles,
    applyHold,
    applyLose,
    /** Versions that are only prepared, the oldest first, each with when that was. */
    undecided: (limit: number) =>
      statements.undecided.all(limit) as unknown as (VersionName & { since_ms: number })[],
    undecidedCount: () => countOf(statements.undecidedCount),
    missingParts: () => countOf(statements.lackingCount),
    applyForgive: (nowMs: number) => void statements.forgive.run(nowMs - REFUSED_MS),
  }
}
