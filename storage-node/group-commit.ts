// All catalog writes that arrive during one turn of the event loop share one transaction, and so
// one sync of the disk. A write is answered only after COMMIT. Knows SQL's transactions and nothing
// of the tables.
import type { DatabaseSync } from 'node:sqlite'
import { toDiskError } from './durable.ts'
import { DfsError } from './protocol/index.ts'

export interface GroupCommit {
  /**
   * Runs `apply` (synchronous; a throw undoes what it wrote, and only that) inside the next
   * transaction. Resolves with its result once that is on the disk.
   * @throws DfsError whatever `apply` threw, NO_SPACE or DISK_FAILED
   */
  write<T>(apply: () => T): Promise<T>
  /**
   * As `write`, in a transaction of its own: for what changes more than a few dozen rows. Within a
   * savepoint SQLite keeps in memory what the pages were, and walks through all of that after each
   * statement that has triggers, so that a thousand entries would take ten times as long.
   */
  writeAlone<T>(apply: () => T): Promise<T>
  /** Commits what is waiting and takes no more. */
  close(): void
}

interface Waiting {
  apply: () => unknown
  resolve: (result: unknown) => void
  reject: (error: DfsError) => void
  isAlone: boolean
}

export function createGroupCommit(options: {
  database: DatabaseSync
  /** Runs inside each transaction, after the writes. */
  beforeCommit: () => void
}): GroupCommit {
  const { database, beforeCommit } = options
  const sql = (text: string) => database.prepare(text)
  const statements = {
    begin: sql('BEGIN IMMEDIATE'),
    commit: sql('COMMIT'),
    savepoint: sql('SAVEPOINT one'),
    release: sql('RELEASE one'),
    undo: sql('ROLLBACK TO one'),
  }
  let queue: Waiting[] = []
  let isClosed = false

  function commitQueue(): void {
    const all = queue
    queue = []
    const together = all.filter(({ isAlone }) => !isAlone)
    if (together.length > 0) commitBatch(together)
    for (const one of all) if (one.isAlone) commitBatch([one])
  }

  function commitBatch(batch: readonly Waiting[]): void {
    let settle: (() => void)[]
    try {
      statements.begin.run()
      settle = batch.length === 1 ? [applyAlone(batch[0]!)] : batch.map(applyOne)
      beforeCommit()
      statements.commit.run()
    } catch (error) {
      rollBack()
      const failure = toDiskError(error, 'writing the catalog')
      for (const { reject } of batch) reject(failure)
      return
    }
    for (const answer of settle) answer()
  }

  /** The only write of its transaction, which is undone with it. */
  function applyAlone({ apply, resolve }: Waiting): () => void {
    const result = apply()
    return () => resolve(result)
  }

  /** Runs one write; answers how to tell its caller once the transaction is durable. */
  function applyOne({ apply, resolve, reject }: Waiting): () => void {
    statements.savepoint.run()
    try {
      const result = apply()
      statements.release.run()
      return () => resolve(result)
    } catch (error) {
      // SQLite itself may have ended the transaction (disk full): then all of the batch is lost.
      if (!database.isTransaction) throw error
      statements.undo.run()
      statements.release.run()
      return () => reject(toDiskError(error, 'writing the catalog'))
    }
  }

  function rollBack(): void {
    if (!database.isTransaction) return
    try {
      database.exec('ROLLBACK')
    } catch {
      // The transaction is gone either way; the next BEGIN tells whether the catalog still works.
    }
  }

  function enqueue<T>(apply: () => T, isAlone: boolean): Promise<T> {
    if (isClosed) return Promise.reject(new DfsError('NODE_GONE', 'The node is stopping.'))
    return new Promise<T>((resolve, reject) => {
      queue.push({ apply, resolve: resolve as Waiting['resolve'], reject, isAlone })
      if (queue.length === 1) setImmediate(commitQueue)
    })
  }

  return {
    write: (apply) => enqueue(apply, false),
    writeAlone: (apply) => enqueue(apply, true),
    close() {
      isClosed = true
      commitQueue()
    },
  }
}
