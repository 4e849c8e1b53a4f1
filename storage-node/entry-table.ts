// The rows of the catalog's entries and parts: what is in them, and the few ways in which they
// change. Each file has at most one decided entry (committed or deleted), older than all its
// prepared ones. What a change means to clients and peers, entries.ts and peer-entries.ts say.
// Functions that write run inside `catalog.write`; nothing here touches part files.
import type { Catalog } from './catalog.ts'
import { createEntryDigests } from './entry-digests.ts'
import { createMovedVersions } from './moved-versions.ts'
import { compareVersions, versionAfter } from './protocol/index.ts'

export const State = { prepared: 0, committed: 1, deleted: 2 } as const

/** Which version of which file of whom. */
export interface VersionName {
  user: string
  file: Uint8Array
  version: Uint8Array
}

/**
 * One part as the catalog keeps it; `data` is what the part file would hold, where there is no
 * file.
 */
export interface StoredPart {
  part: number
  bytes: number
  pieceBytes: number
  checksum: number
  data: Uint8Array | null
}

export interface NewEntry extends VersionName {
  x: number
  first: number
  rows: number
  sealed: Uint8Array
  /** 16 bytes that name the part files; null where the parts are in the catalog. */
  key: Uint8Array | null
  parts: readonly StoredPart[]
}

/** A version that ends when the entry that moves it is committed. */
export interface MoveSource {
  source: Uint8Array
  sourceVersion: Uint8Array
}

/** Part files that no entry names any more. */
export interface Doomed {
  key: Uint8Array
  /** Bit mask of parts. */
  parts: number
}

export interface EntryRow {
  id: number
  user: string
  file: Uint8Array
  version: Uint8Array
  state: 0 | 1 | 2
  x: number
  first: number
  rows: number
  parts: number
  change: number
  since_ms: number
  key: Uint8Array | null
  sealed: Uint8Array
  pledged: 0 | 1
}

/** What decides about a version; read often, so without its description. */
export type VersionRow = Pick<EntryRow, 'id' | 'version' | 'state' | 'parts' | 'since_ms' | 'key'>

export type EntryTable = ReturnType<typeof createEntryTable>

export function createEntryTable(catalog: Catalog) {
  const moved = createMovedVersions()
  const digests = createEntryDigests(catalog)
  const sql = (text: string) => catalog.database.prepare(text)
  const statements = {
    ofFile: sql('SELECT * FROM entries WHERE user = ? AND file = ? ORDER BY version'),
    versions: sql(
      `SELECT id, version, state, parts, since_ms, key FROM entries
       WHERE user = ? AND file = ? ORDER BY version`,
    ),
    one: sql('SELECT * FROM entries WHERE user = ? AND file = ? AND version = ?'),
    byId: sql('SELECT * FROM entries WHERE id = ?'),
    insert: sql(
      `INSERT INTO entries
       (user, file, version, state, x, first, rows, parts, change, since_ms, key, sealed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    decide: sql('UPDATE entries SET state = ?, change = ?, since_ms = ? WHERE id = ?'),
    remove: sql('DELETE FROM entries WHERE id = ?'),
    part: sql('SELECT * FROM parts WHERE id = ?'),
    insertPart: sql(
      'INSERT INTO parts (id, bytes, piece_bytes, checksum, data) VALUES (?, ?, ?, ?, ?)',
    ),
    removeParts: sql('DELETE FROM parts WHERE id BETWEEN ? AND ?'),
    hold: sql('UPDATE entries SET parts = ?, key = ?, change = ? WHERE id = ?'),
    move: sql('SELECT * FROM moves WHERE user = ? AND file = ? AND version = ?'),
    movesFrom: sql('SELECT since_ms FROM moves WHERE user = ? AND source = ?'),
    insertMove: sql(
      `INSERT INTO moves (user, file, version, source, source_version, since_ms)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    endMove: sql('DELETE FROM moves WHERE user = ? AND file = ? AND version = ?'),
    refusal: sql('SELECT 1 FROM refusals WHERE user = ? AND file = ? AND version = ?'),
  }

  function partOf(row: EntryRow, part: number): StoredPart | undefined {
    const stored = statements.part.get(row.id * 4 + part - 1)
    if (stored === undefined) return undefined
    const { bytes, piece_bytes, checksum, data } = stored as Record<string, number> & {
      data: Uint8Array | null
    }
    return { part, bytes: bytes!, pieceBytes: piece_bytes!, checksum: checksum!, data }
  }

  /** Adds an entry with the parts that it brings. */
  function insert(entry: NewEntry, state: 0 | 1 | 2): void {
    const { user, file, version, x, first, rows, key, sealed, parts } = entry
    const mask = parts.reduce((sum, { part }) => sum | bitOf(part), 0)
    // Always prepared at first: the count of files follows changes of the state.
    const facts = [x, first, rows, mask, catalog.nextChange(), Date.now(), key, sealed]
    const { lastInsertRowid } = statements.insert.run(user, file, version, 0, ...facts)
    const id = Number(lastInsertRowid)
    for (const part of parts) insertPart(id, part)
    if (state !== State.prepared) decide(id, state)
  }

  function insertPart(id: number, { part, bytes, pieceBytes, checksum, data }: StoredPart): void {
    statements.insertPart.run(id * 4 + part - 1, bytes, pieceBytes, checksum, data)
  }

  function decide(id: number, state: 1 | 2): void {
    statements.decide.run(state, catalog.nextChange(), Date.now(), id)
  }

  /** Says of a prepared entry that its commit ends a version of another file. */
  function insertMove({ user, file, version }: VersionName, move: MoveSource): void {
    const { source, sourceVersion } = move
    statements.insertMove.run(user, file, version, source, sourceVersion, Date.now())
  }

  /**
   * Makes a prepared version, entry `id`, the file, in place of all older `rows`. What it moves
   * here ends in the same write, and comes after it in the order of changes: there is always one
   * name that opens.
   */
  function commit(name: VersionName, id: number, rows: readonly VersionRow[]): Doomed[] {
    const { user, file, version } = name
    decide(id, State.committed)
    const doomed = removeOlder(rows, version)
    const move = statements.move.get(user, file, version) as
      | { source: Uint8Array; source_version: Uint8Array }
      | undefined
    if (move === undefined) return doomed
    statements.endMove.run(user, file, version)
    const from = { user, file: move.source, version: move.source_version }
    moved.add(from, { user, file, version })
    return [...doomed, ...bury({ ...from, version: versionAfter(from.version) })]
  }

  /** Puts a tombstone in the place of all older versions, unless what is decided is as new. */
  function bury(name: VersionName): Doomed[] {
    const rows = versionsOf(name.user, name.file)
    const decided = rows.find(({ state }) => state !== State.prepared)
    if (decided !== undefined && !isNewer(name.version, decided.version)) return []
    const doomed = removeOlder(rows, name.version)
    const nothing = { x: 0, first: 0, rows: 0, key: null, parts: [], sealed: new Uint8Array() }
    insert({ ...name, ...nothing }, State.deleted)
    return doomed
  }

  /** When moves of a file to other names were prepared that are not decided; milliseconds. */
  function movesFrom(user: string, file: Uint8Array): number[] {
    const rows = statements.movesFrom.all(user, file) as { since_ms: number }[]
    return rows.map(({ since_ms }) => since_ms)
  }

  function removeOlder(rows: readonly VersionRow[], version: Uint8Array): Doomed[] {
    return rows.filter((row) => isNewer(version, row.version)).flatMap(removeRow)
  }

  function removeRow(row: Pick<EntryRow, 'id' | 'key' | 'parts'>): Doomed[] {
    statements.removeParts.run(row.id * 4, row.id * 4 + 3)
    statements.remove.run(row.id)
    return row.key === null ? [] : [{ key: row.key, parts: row.parts }]
  }

  /** Puts a part in the place of the one that is there, if any, and says that it is held. */
  function holdPart(row: EntryRow, part: StoredPart, key: Uint8Array | null): void {
    const id = row.id * 4 + part.part - 1
    statements.removeParts.run(id, id)
    insertPart(row.id, part)
    const parts = row.parts | bitOf(part.part)
    statements.hold.run(parts, key ?? row.key, catalog.nextChange(), row.id)
  }

  /** Says that a part is no longer held. */
  function losePart(row: EntryRow, part: number): void {
    const id = row.id * 4 + part - 1
    statements.removeParts.run(id, id)
    statements.hold.run(row.parts & ~bitOf(part), row.key, catalog.nextChange(), row.id)
  }

  function rowsOf(user: string, file: Uint8Array): EntryRow[] {
    return statements.ofFile.all(user, file) as unknown as EntryRow[]
  }

  function versionsOf(user: string, file: Uint8Array): VersionRow[] {
    return statements.versions.all(user, file) as unknown as VersionRow[]
  }

  return {
    /** All of a file, oldest first. */
    rowsOf,
    versionsOf,
    find: ({ user, file, version }: VersionName) =>
      statements.one.get(user, file, version) as EntryRow | undefined,
    findById: (id: number) => statements.byId.get(id) as EntryRow | undefined,
    /** Whether peers were told that this version will never be prepared here. */
    isRefused: ({ user, file, version }: VersionName) =>
      statements.refusal.get(user, file, version) !== undefined,
    partOf,
    digests,
    insert,
    insertMove,
    movesFrom,
    /** Where a version went that was moved to another name not long ago. */
    movedTo: moved.find,
    commit,
    bury,
    removeOlder,
    removeRow,
    holdPart,
    losePart,
  }
}

/** The parts (1..4) of a bit mask. */
export function partsIn(mask: number): number[] {
  return [1, 2, 3, 4].filter((part) => (mask & bitOf(part)) !== 0)
}

export function bitOf(part: number): number {
  return 1 << (part - 1)
}

export function isNewer(version: Uint8Array, than: Uint8Array): boolean {
  return compareVersions(version, than) > 0
}
