// The accounts of the catalog. A record is prepared (durable, without effect), then committed; a
// user has at most one of each, ordered by `change`. Knows StoredKeys, never a password or what it
// opens.
import type { Catalog } from './catalog.ts'
import { type AccountRecord, DfsError, KEY_BYTES, type PeerAccount } from './protocol/index.ts'

const State = { prepared: 0, committed: 1, removed: 2, gone: 3 } as const

/**
 * A change this young may still be on its way to other nodes, whose commands are proved against the
 * record before it: peers hear of it a little later.
 */
const FRESH_MS = 3000

/** A prepared record that nobody committed for so long was given up by its maker. */
const PREPARED_MS = 60_000

interface Row {
  user: string
  state: number
  change: number
  salt: Uint8Array
  rounds: number
  stored_keys: Uint8Array
  wrapped_key: Uint8Array
  since_ms: number
  place: number
}

export type AccountBook = ReturnType<typeof createAccounts>

/**
 * The accounts as node `node` (1..4) keeps them. Functions whose name begins with `apply` run
 * inside `catalog.write`.
 */
export function createAccounts(catalog: Catalog, node: number) {
  const sql = (text: string) => catalog.database.prepare(text)
  const statements = {
    get: sql('SELECT * FROM accounts WHERE user = ? AND state = ?'),
    key: sql('SELECT stored_keys FROM accounts WHERE user = ? AND state = 1'),
    list: sql('SELECT user FROM accounts WHERE state = ? ORDER BY user'),
    page: sql('SELECT user FROM accounts WHERE state = ? AND user > ? ORDER BY user LIMIT ?'),
    told: sql('SELECT * FROM accounts WHERE state IN (1, 3) AND place > ? ORDER BY place LIMIT ?'),
    gone: sql('SELECT * FROM accounts WHERE state = 3 AND place <= ? ORDER BY place LIMIT ?'),
    last: sql(
      'SELECT place FROM accounts WHERE state IN (1, 3) AND place > 0 ORDER BY place DESC LIMIT 1',
    ),
    count: sql('SELECT count(*) AS count FROM accounts WHERE state = 1'),
    remove: sql('DELETE FROM accounts WHERE user = ? AND state = ?'),
    put: sql(
      `INSERT OR REPLACE INTO accounts
       (user, state, change, salt, rounds, stored_keys, wrapped_key, since_ms, place)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
  }
  let generation = 0
  const find = (user: string, state: number) => statements.get.get(user, state) as Row | undefined

  /** The record that is in force. @throws DfsError ACCOUNT_UNKNOWN */
  function record(user: string): AccountRecord {
    const row = find(user, State.committed)
    if (row === undefined) throw new DfsError('ACCOUNT_UNKNOWN', 'There is no such account.')
    return recordOf(row)
  }

  function put(account: AccountRecord, state: number): void {
    const { user, change, salt, rounds, storedKeys, wrappedKey } = account
    const facts = [change, salt, rounds, Buffer.concat(storedKeys), wrappedKey]
    generation++
    statements.put.run(user, state, ...facts, Date.now(), catalog.nextChange())
  }

  function remove(user: string, state: number): void {
    generation++
    statements.remove.run(user, state)
  }

  /** @throws DfsError STALE_VERSION, BUSY */
  function applyPrepare(account: AccountRecord): void {
    const { user, change } = account
    if (find(user, State.removed) !== undefined) {
      throw new DfsError('BUSY', 'The account of that name is being removed.')
    }
    const committed = find(user, State.committed)
    if (committed !== undefined && change <= committed.change) {
      const detail = { newest: committed.change }
      throw new DfsError('STALE_VERSION', 'The account has a newer record.', { detail })
    }
    const pending = find(user, State.prepared)
    const isFresh = pending !== undefined && Date.now() - pending.since_ms < PREPARED_MS
    if (isFresh && pending.change >= change && !isSame(pending, account)) {
      throw new DfsError('BUSY', 'Another change of this account is under way.')
    }
    put(account, State.prepared)
  }

  /**
   * Repeating it is safe. @throws DfsError ACCOUNT_UNKNOWN where nothing of that change is prepared
   */
  function applyCommit(user: string, change: number): void {
    const committed = find(user, State.committed)
    if (committed?.change === change) return
    const pending = find(user, State.prepared)
    if (pending?.change !== change || (committed?.change ?? -1) > change) {
      throw new DfsError('ACCOUNT_UNKNOWN', 'No such change of this account is prepared.')
    }
    put(recordOf(pending), State.committed)
    remove(user, State.prepared)
  }

  function applyAbort(user: string, change: number): void {
    if (find(user, State.prepared)?.change === change) remove(user, State.prepared)
  }

  /** From now on nobody can act as the user; the name stays taken until `applyForget`. */
  function applyRemove(user: string): boolean {
    remove(user, State.prepared)
    const committed = find(user, State.committed)
    if (committed === undefined) return find(user, State.removed) !== undefined
    put(recordOf(committed), State.removed)
    bury(user, committed.change)
    remove(user, State.committed)
    return true
  }

  /** Remembers that the account is no more, so that no peer brings that record back. */
  function bury(user: string, change: number): void {
    const nothing = new Uint8Array()
    const grave = { user, change, salt: nothing, rounds: 0, storedKeys: [], wrappedKey: nothing }
    put(grave, State.gone)
  }

  /**
   * What peers are told: records in force and removals after the cursor, in order, with cursors.
   */
  function* toldSince(since: number, limit: number): Generator<[number, PeerAccount]> {
    for (const row of statements.told.iterate(since, limit) as Iterable<unknown>) {
      const { user, state, change, place, since_ms: sinceMs } = row as Row
      if (Math.abs(Date.now() - sinceMs) < FRESH_MS) return
      const account = state === State.gone ? null : recordOf(row as Row)
      yield [place, { user, change, account }]
    }
  }

  /** Takes over what a peer says where it is newer. Answers whether the user is to be forgotten. */
  function applyTold({ user, change, account }: PeerAccount): boolean {
    const gone = find(user, State.gone)
    const committed = find(user, State.committed)
    if (gone !== undefined && gone.change >= change) return false
    if (account !== null) {
      if ((committed?.change ?? -1) < account.change) put(account, State.committed)
      return false
    }
    const isOlder = committed !== undefined && committed.change <= change
    if (isOlder) applyRemove(user)
    bury(user, change)
    return isOlder
  }

  /** Removals in the order in which they were noted, up to the first that is not old enough. */
  function oldGraves(upTo: number, beforeMs: number, limit: number): Row[] {
    const rows = statements.gone.all(upTo, limit) as unknown as Row[]
    const young = rows.findIndex((row) => row.since_ms >= beforeMs)
    return young < 0 ? rows : rows.slice(0, young)
  }

  /**
   * Forgets removals that everybody knows: of those up to place `upTo`, the ones noted before
   * `beforeMs`. Answers how many.
   */
  function applyUnbury(which: { upTo: number; beforeMs: number; limit: number }): number {
    const rows = oldGraves(which.upTo, which.beforeMs, which.limit)
    for (const { user } of rows) statements.remove.run(user, State.gone)
    return rows.length
  }

  return {
    record,
    applyUnbury,
    hasGraves: (beforeMs: number) => oldGraves(Number.MAX_SAFE_INTEGER, beforeMs, 1).length > 0,
    /** The last cursor of what peers are told. */
    lastPlace: () => (statements.last.get() as { place: number } | undefined)?.place ?? 0,
    applyPrepare,
    applyCommit,
    applyAbort,
    applyRemove,
    toldSince,
    applyTold,
    applyForget: (user: string) => remove(user, State.removed),
    /** Another number after each change of any account: what was read before may be wrong. */
    generation: () => generation,
    /** The StoredKey of this node. */
    storedKeyOf: (user: string) => {
      const row = statements.key.get(user) as Pick<Row, 'stored_keys'> | undefined
      return row?.stored_keys.subarray((node - 1) * KEY_BYTES, node * KEY_BYTES)
    },
    find: (user: string) => (find(user, State.committed) === undefined ? undefined : record(user)),
    /** Up to `limit` users after `after`, in order of their bytes. */
    usersAfter: (after: string, limit: number) =>
      (statements.page.all(State.committed, after, limit) as { user: string }[]).map(
        (row) => row.user,
      ),
    usersBeingRemoved: () =>
      (statements.list.all(State.removed) as { user: string }[]).map((row) => row.user),
    userCount: () => (statements.count.get() as { count: number }).count,
  }
}

function recordOf(row: Row): AccountRecord {
  const { user, change, salt, rounds, stored_keys: keys, wrapped_key: wrappedKey } = row
  const storedKeys = [0, 1, 2, 3].map((at) => keys.subarray(at * KEY_BYTES, (at + 1) * KEY_BYTES))
  return { user, change, salt, rounds, storedKeys, wrappedKey }
}

function isSame(row: Row, account: AccountRecord): boolean {
  return (
    row.change === account.change &&
    row.rounds === account.rounds &&
    Buffer.compare(row.salt, account.salt) === 0 &&
    Buffer.compare(row.stored_keys, Buffer.concat(account.storedKeys)) === 0 &&
    Buffer.compare(row.wrapped_key, account.wrappedKey) === 0
  )
}
