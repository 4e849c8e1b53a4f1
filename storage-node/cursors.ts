// How far each peer's accounts and entries are known here. Stored in the same transaction as what
// they cover. Knows no links.
import type { Catalog } from './catalog.ts'

/** The last change of each kind that is durable here. */
export interface Cursor {
  accounts: number
  entries: number
}

export type Cursors = ReturnType<typeof createCursors>

export function createCursors({ database }: Catalog) {
  const find = database.prepare('SELECT * FROM peers WHERE node = ?')
  const put = database.prepare(
    'INSERT OR REPLACE INTO peers (node, epoch, accounts, entries) VALUES (?, ?, ?, ?)',
  )
  return {
    /** Of peer `node` (1..4); from the beginning where its folder is another than before. */
    of(node: number, epoch: Uint8Array): Cursor {
      const row = find.get(node) as (Cursor & { epoch: Uint8Array }) | undefined
      const isSame = row !== undefined && Buffer.compare(row.epoch, epoch) === 0
      return isSame ? { accounts: row.accounts, entries: row.entries } : { accounts: 0, entries: 0 }
    },
    /** Inside `catalog.write`. */
    applyKeep(node: number, epoch: Uint8Array, cursor: Cursor): void {
      put.run(node, epoch, cursor.accounts, cursor.entries)
    },
  }
}
