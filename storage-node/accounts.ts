// The accounts of the catalog. A record is prepared (durable, without effect), then committed; a
// user has at most one of each, ordered by `change`. Knows StoredKeys, never a password or what it
// opens.
import type { Catalog } from './catalog.ts'
import { type AccountRecord, DfsError } from './protocol/index.ts'

const State = { prepared: 0, committed: 1, removed: 2 } as const

/** A prepared record that nobody committed for so long was given up by its maker. */
const PREPARED_MS = 60_000

interface Row {
  change: number
  salt: Uint8Array
  rounds: number
  stored_key: Uint8Array
  wrapped_key: Uint8Array
  since_ms: number
}

export type AccountBook = ReturnType<typeof createAccounts>

/** Functions whose name begins with `apply` run inside `catalog.write`. */
export function createAccounts(catalog: Catalog) {
  const sql = (text: string) => catalog.database.prepare(text)
  const statements = {
    get: sql('SELECT * FROM accounts WHERE user = ? AND state = ?'),
    key: sql('SELECT stored_key FROM accounts WHERE user = ? AND state = 1'),
    list: sql('SELECT user FROM accounts WHERE state = ? ORDER BY user'),
    page: sql('SELECT user FROM accounts WHERE state = ? AND user > ? ORDER BY user LIMIT ?'),
    count: sql('SELECT count(*) AS count FROM accounts WHERE state = 1'),
    remove: sql('DELETE FROM accounts WHERE user = ? AND state = ?'),
    put: sql(
      `INSERT OR REPLACE INTO accounts
       (user, state, change, salt, rounds, stored_key, wrapped_key, since_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
  }
  const find = (user: string, state: number) => statements.get.get(user, state) as Row | undefined

  /** The record that is in force. @throws DfsError ACCOUNT_UNKNOWN */
  function record(user: string): AccountRecord {
    const row = find(user, State.committed)
    if (row === undefined) throw new DfsError('ACCOUNT_UNKNOWN', 'There is no such account.')
    const { change, salt, rounds, stored_key: storedKey, wrapped_key: wrappedKey } = row
    return { user, change, salt, rounds, storedKey, wrappedKey }
  }

  function put(account: AccountRecord, state: number): void {
    const { user, change, salt, rounds, storedKey, wrappedKey } = account
    statements.put.run(user, state, change, salt, rounds, storedKey, wrappedKey, Date.now())
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
    const { salt, rounds, stored_key: storedKey, wrapped_key: wrappedKey } = pending
    put({ user, change, salt, rounds, storedKey, wrappedKey }, State.committed)
    statements.remove.run(user, State.prepared)
  }

  function applyAbort(user: string, change: number): void {
    if (find(user, State.prepared)?.change === change) statements.remove.run(user, State.prepared)
  }

  /** From now on nobody can act as the user; the name stays taken until `applyForget`. */
  function applyRemove(user: string): boolean {
    statements.remove.run(user, State.prepared)
    if (find(user, State.committed) === undefined) return find(user, State.removed) !== undefined
    put(record(user), State.removed)
    statements.remove.run(user, State.committed)
    return true
  }

  return {
    record,
    applyPrepare,
    applyCommit,
    applyAbort,
    applyRemove,
    applyForget: (user: string) => void statements.remove.run(user, State.removed),
    storedKeyOf: (user: string) =>
      (statements.key.get(user) as { stored_key: Uint8Array } | undefined)?.stored_key,
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

function isSame(row: Row, account: AccountRecord): boolean {
  return (
    row.change === account.change &&
    row.rounds === account.rounds &&
    Buffer.compare(row.salt, account.salt) === 0 &&
    Buffer.compare(row.stored_key, account.storedKey) === 0 &&
    Buffer.compare(row.wrapped_key, account.wrappedKey) === 0
  )
}
