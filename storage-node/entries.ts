// The entries of the catalog as clients see and change them: which versions of which files this
// node knows, and where their parts are. Functions whose name begins with `apply` run inside
// `catalog.write`; nothing here touches part files.
import type { Catalog } from './catalog.ts'
import { createChanges } from './changes.ts'
import {
  type Doomed,
  type EntryRow,
  type EntryTable,
  isNewer,
  type MoveSource,
  type NewEntry,
  partsIn,
  State,
  type StoredPart,
  type VersionName,
  type VersionRow,
} from './entry-table.ts'
import { compareVersions, DfsError, type Entry } from './protocol/index.ts'

const stateNames = ['prepared', 'committed', 'deleted'] as const

/** Prepared versions of one file at once: as many uploads of one name may be under way. */
const MAX_PREPARED = 1024
/** Of these a lookup shows the newest, as many as fit into one header of MAX_HEADER_BYTES. */
const MAX_SHOWN = 64
const MAX_SHOWN_BYTES = 49_152
/** What an entry takes in a message beside its sealed description: ids, field names, numbers. */
export const ENTRY_FIXED_BYTES = 128
/**
 * A prepared version that stayed so for this long no longer stands in the way of conditional
 * writes.
 */
const PENDING_MS = 5 * 60_000

/**
 * `undefined`: none; null: unless there is no file; else the version that must be the newest
 * committed.
 */
export type Condition = Uint8Array | null | undefined

export interface PrepareOptions {
  condition: Condition
  sealed: Uint8Array
}

/** Where the pieces of a part are to be read. */
export interface PartPlace extends StoredPart {
  rows: number
  key: Uint8Array | null
}

export type EntryBook = ReturnType<typeof createEntries>

export function createEntries(catalog: Catalog, table: EntryTable) {
  const { rowsOf, versionsOf, find: findRow, partOf, insert, removeRow } = table
  const sql = (text: string) => catalog.database.prepare(text)
  const statements = {
    ofUser: sql('SELECT * FROM entries WHERE user = ? ORDER BY file LIMIT ?'),
    collected: sql('SELECT change FROM collected WHERE user = ?'),
    forgetCollected: sql('DELETE FROM collected WHERE user = ?'),
    // Another index would go through all of the user's entries.
    firstUndecided: sql(
      `SELECT min(change) AS change FROM entries INDEXED BY entries_undecided
       WHERE state = 0 AND user = ?`,
    ),
    byKey: sql('SELECT 1 FROM entries WHERE key = ?'),
  }

  /**
   * Entries of a file, oldest first: the decided one, if any, and the newest prepared ones. With
   * `withParts`, also the parts of the committed version where they are in the catalog.
   */
  function lookup(
    user: string,
    file: Uint8Array,
    withParts: boolean,
  ): { shown: Entry[]; parts: StoredPart[] } {
    const rows = rowsOf(user, file)
    let shownCount = 0
    let shownBytes = 0
    const shown = rows
      .toReversed()
      .filter(({ state, sealed }) => {
        shownBytes += sealed.length + ENTRY_FIXED_BYTES
        const hasRoom = ++shownCount < MAX_SHOWN && shownBytes < MAX_SHOWN_BYTES
        return state !== State.prepared || hasRoom
      })
      .toReversed()
      .map(entryOf)
    return { shown, parts: withParts ? inlineParts(rows) : [] }
  }

  /** The parts of an entry that are held here. */
  function partsOf(row: EntryRow): StoredPart[] {
    return partsIn(row.parts).flatMap((part) => partOf(row, part) ?? [])
  }

  function inlineParts(rows: readonly EntryRow[]): StoredPart[] {
    const row = rows.find(({ state }) => state === State.committed)
    return row === undefined || row.key !== null ? [] : partsOf(row)
  }

  /**
   * The change of the user's last tombstone that was forgotten: who has heard less may have missed
   * a deletion.
   */
  function collectedChange(user: string): number {
    return (statements.collected.get(user) as { change: number } | undefined)?.change ?? 0
  }

  /**
   * What the user's decided entries add up to, and the cursor up to which they are all that there
   * is to tell: behind it comes whatever is undecided.
   */
  function digestOf(user: string): { digest: number; next: number } {
    const { change } = statements.firstUndecided.get(user) as { change: number | null }
    const next = change === null ? catalog.lastChange() : change - 1
    // Tombstones that all four nodes knew and have forgotten are nothing that anybody must hear of.
    return { digest: table.digests.of(user), next: Math.max(next, collectedChange(user)) }
  }

  /** @throws DfsError FILE_NOT_FOUND, PART_MISSING */
  function placeOf(name: VersionName, part: number): PartPlace {
    const row = findRow(name)
    if (row === undefined || row.state === State.deleted) {
      // Who reads a file while it gets another name reads on.
      const moved = table.movedTo(name)
      if (moved === undefined) throw unknownVersion()
      return placeOf(moved, part)
    }
    const stored = partOf(row, part)
    if (stored === undefined) {
      throw new DfsError('PART_MISSING', `This node has no copy of part ${part} of that version.`)
    }
    return { ...stored, rows: row.rows, key: row.key }
  }

  /**
   * Refuses a new version that may not come; answers whether it would replace a committed file.
   * @throws DfsError STALE_VERSION, PRECONDITION_FAILED, BUSY
   */
  function checkPrepare(name: VersionName, options: PrepareOptions): boolean {
    const { condition } = options
    const rows = versionsOf(name.user, name.file)
    // Versions that are only prepared do not count: whichever of them commits, the newest stays.
    requireNewest(
      name.version,
      rows.filter(({ state }) => state !== State.prepared),
    )
    const isKnown = rows.some(({ version }) => compareVersions(version, name.version) === 0)
    if (isKnown || table.isRefused(name)) throw staleVersion(name.version)
    const pending = rows.filter(({ state }) => state === State.prepared)
    if (pending.length >= MAX_PREPARED) {
      throw new DfsError('BUSY', 'Too many versions of this file are being written at once.')
    }
    const committed = rows.find(({ state }) => state === State.committed)
    requireCondition(condition, committed)
    if (condition !== undefined) requireUncontested(name, rows)
    return committed !== undefined
  }

  /** Whether a version of the file, or a move of it to another name, is prepared and undecided. */
  function isContested({ user, file }: VersionName, rows: readonly VersionRow[]): boolean {
    const prepared = rows.filter(({ state }) => state === State.prepared)
    const since = [...prepared.map(({ since_ms }) => since_ms), ...table.movesFrom(user, file)]
    return since.some((sinceMs) => Date.now() - sinceMs < PENDING_MS)
  }

  function requireUncontested(name: VersionName, rows: readonly VersionRow[]): void {
    if (!isContested(name, rows)) return
    throw new DfsError('PRECONDITION_FAILED', 'Another version of the file is being written.')
  }

  /**
   * The entry of the version that is to be moved: the file as it is, and nothing else under way.
   * @throws DfsError FILE_NOT_FOUND, BUSY
   */
  function requireMovable(name: VersionName): EntryRow {
    const rows = rowsOf(name.user, name.file)
    const decided = rows.find(({ state }) => state !== State.prepared)
    const isNewest =
      decided?.state === State.committed && compareVersions(decided.version, name.version) === 0
    if (!isNewest) throw unknownVersion()
    if (!isContested(name, rows)) return decided
    throw new DfsError('BUSY', 'The file that is to be moved is being written or moved.')
  }

  /**
   * Adds a prepared entry, after `checkPrepare` in the same write; where it is a move, after
   * `requireMovable` too.
   */
  function applyPrepare(entry: NewEntry, move?: MoveSource): void {
    insert(entry, State.prepared)
    if (move !== undefined) table.insertMove(entry, move)
  }

  /** Makes a prepared version the file. Repeating it is safe. @throws DfsError FILE_NOT_FOUND */
  function applyCommit(name: VersionName): Doomed[] {
    const rows = versionsOf(name.user, name.file)
    const row = rows.find(({ version }) => compareVersions(version, name.version) === 0)
    const decided = rows.find(({ state }) => state !== State.prepared)
    // A newer version has won already: what was to be committed is superseded and gone.
    const isSuperseded = decided !== undefined && isNewer(decided.version, name.version)
    if (row === undefined && isSuperseded) return []
    if (row === undefined || row.state === State.deleted) throw unknownVersion()
    if (row.state === State.committed) return []
    return table.commit(name, row.id, rows)
  }

  /**
   * Drops a prepared version; one that is unknown is no error. @throws DfsError PRECONDITION_FAILED
   */
  function applyAbort(name: VersionName): Doomed[] {
    const row = findRow(name)
    if (row === undefined) return []
    if (row.state !== State.prepared) {
      throw new DfsError('PRECONDITION_FAILED', 'That version is committed already.')
    }
    if (row.pledged === 1) {
      throw new DfsError('PRECONDITION_FAILED', 'The nodes are deciding about that version.')
    }
    return removeRow(row)
  }

  /**
   * Puts a tombstone in the file's place. Repeating it is safe.
   * @throws DfsError STALE_VERSION, PRECONDITION_FAILED
   */
  function applyDelete(
    name: VersionName,
    condition: Condition,
  ): { existed: boolean; doomed: Doomed[] } {
    const rows = versionsOf(name.user, name.file)
    const decided = rows.filter(({ state }) => state !== State.prepared)
    const same = findRow(name)
    if (same?.state === State.deleted) return { existed: true, doomed: [] }
    if (same !== undefined) throw staleVersion(name.version)
    requireNewest(name.version, decided)
    const committed = decided.find(({ state }) => state === State.committed)
    requireCondition(condition, committed)
    // What is being written may be committed on another node already: not what the condition says.
    if (condition !== undefined) requireUncontested(name, rows)
    return { existed: committed !== undefined, doomed: table.bury(name) }
  }

  /** Removes up to `limit` entries of a user who is no more; answers none when nothing is left. */
  function applyForget(user: string, limit: number): { count: number; doomed: Doomed[] } {
    const rows = statements.ofUser.all(user, limit) as unknown as EntryRow[]
    if (rows.length === 0) {
      statements.forgetCollected.run(user)
      table.digests.remove(user)
    }
    return { count: rows.length, doomed: rows.flatMap(removeRow) }
  }

  return {
    lookup,
    changesSince: createChanges(catalog),
    collectedChange,
    digestOf,
    placeOf,
    checkPrepare,
    requireMovable,
    partsOf,
    applyPrepare,
    applyCommit,
    applyAbort,
    applyDelete,
    applyForget,
    /** Whether an entry names part files by `key`. */
    hasKey: (key: Uint8Array) => statements.byKey.get(key) !== undefined,
  }
}

function entryOf(row: EntryRow): Entry {
  const { file, version, x, first, rows, parts, sealed } = row
  return { file, version, state: stateNames[row.state], x, first, rows, parts, sealed }
}

function requireNewest(version: Uint8Array, rows: readonly VersionRow[]): void {
  const newest = rows.at(-1)
  if (newest !== undefined && !isNewer(version, newest.version)) throw staleVersion(newest.version)
}

function requireCondition(condition: Condition, committed: VersionRow | undefined): void {
  if (condition === undefined) return
  const isMet =
    condition === null
      ? committed === undefined
      : committed !== undefined && compareVersions(committed.version, condition) === 0
  if (!isMet) throw new DfsError('PRECONDITION_FAILED', 'The file is not what the request expects.')
}

function staleVersion(newest: Uint8Array): DfsError {
  const detail = { newest: Buffer.from(newest).toString('hex') }
  return new DfsError('STALE_VERSION', 'The file has a version that is as new or newer.', {
    detail,
  })
}

function unknownVersion(): DfsError {
  return new DfsError('FILE_NOT_FOUND', 'This node knows no such version of the file.')
}
