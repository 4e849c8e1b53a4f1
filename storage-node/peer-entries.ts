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
import {
  compareVersions,
  type PeerEntry,
  partsOfNode,
  type Standing,
  versionTimeMs,
} from './protocol/index.ts'

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

/** A part that is held, and where. */
export interface HeldPart extends StoredPart {
  /** A cursor: of entry and part. */
  id: number
  name: VersionName
  /** Names the part file; null where the part is in the catalog. */
  key: Uint8Array | null
  rows: number
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
    held: sql('SELECT id FROM parts WHERE id > ? ORDER BY id LIMIT ?'),
    files: sql('SELECT id FROM parts WHERE data IS NULL AND id > ? ORDER BY id LIMIT ?'),
    graves: sql('SELECT * FROM entries WHERE state = 2 AND change <= ? ORDER BY change LIMIT ?'),
    collected: sql('INSERT OR REPLACE INTO collected (user, change) VALUES (?, ?)'),
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
    const known = table.versionsOf(user, file)
    const decided = known.find((row) => row.state !== State.prepared)
    if (decided !== undefined && !isNewer(version, decided.version)) return []
    const same = known.find((row) => compareVersions(row.version, version) === 0)
    if (same !== undefined && state === 'committed') return table.commit(told, same.id, known)
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
      .versionsOf(name.user, name.file)
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

  function heldOf(ids: readonly { id: number }[]): HeldPart[] {
    return ids.flatMap(({ id }) => {
      const row = table.findById(Math.floor(id / 4))
      const stored = row === undefined ? undefined : table.partOf(row, (id % 4) + 1)
      if (row === undefined || stored === undefined) return []
      const { user, file, version, key, rows } = row
      return [{ ...stored, id, name: { user, file, version }, key, rows }]
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

  /** Tombstones in the order in which they were put, up to the first that is not old enough. */
  function oldGraves(upTo: number, beforeMs: number, limit: number): EntryRow[] {
    const rows = statements.graves.all(upTo, limit) as unknown as EntryRow[]
    const young = rows.findIndex((row) => row.since_ms >= beforeMs)
    return young < 0 ? rows : rows.slice(0, young)
  }

  /**
   * Forgets tombstones that everybody knows: of those up to change `upTo`, the ones put before
   * `beforeMs`. Answers how many. Clients whose cursors are older have missed them.
   */
  function applyUnbury(which: { upTo: number; beforeMs: number; limit: number }): number {
    const { upTo, beforeMs, limit } = which
    const rows = oldGraves(upTo, beforeMs, limit)
    for (const row of rows) {
      table.removeRow(row)
      // In the order of changes: the last one stays.
      statements.collected.run(row.user, row.change)
    }
    return rows.length
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
    /** As `lackOf`, by the entry's id. */
    lackOfId: (id: number, part: number): Lack | undefined => {
      const row = table.findById(id)
      return row?.state === State.committed ? { ...lackOf(row), missing: [part] } : undefined
    },
    /** Whether a part of a version is here, whatever its state. */
    holds: (name: VersionName, part: number): boolean => {
      const row = table.find(name)
      return row !== undefined && table.partOf(row, part) !== undefined
    },
    /** The parts after the cursor `after`, in the order of their ids. */
    heldParts: (after: number, limit: number) =>
      heldOf(statements.held.all(after, limit) as { id: number }[]),
    /** Of these, those that should be files. */
    heldFiles: (after: number, limit: number) =>
      heldOf(statements.files.all(after, limit) as { id: number }[]),
    partById: (id: number) => heldOf([{ id }])[0],
    applyHold,
    applyLose,
    /** Versions that are only prepared, the oldest first, each with when that was. */
    undecided: (limit: number) =>
      statements.undecided.all(limit) as unknown as (VersionName & { since_ms: number })[],
    undecidedCount: () => countOf(statements.undecidedCount),
    /** Whether there is a tombstone of a file that was put before `beforeMs`. */
    hasGraves: (beforeMs: number) => oldGraves(Number.MAX_SAFE_INTEGER, beforeMs, 1).length > 0,
    applyUnbury,
    applyForgive: (nowMs: number) => void statements.forgive.run(nowMs - REFUSED_MS),
  }
}
