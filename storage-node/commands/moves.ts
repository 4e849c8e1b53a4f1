// The command that gives a version of one file to another: its parts get second names, small ones
// are copied inside the catalog, and the entry that comes is prepared like an upload's. The file
// that it was ends in the same write in which that entry is committed.
import type { EntryRow, StoredPart } from '../entry-table.ts'
import { keyOf } from '../part-store.ts'
import { DfsError, type RequestOf } from '../protocol/index.ts'
import type { CommandsOf, Services } from './table.ts'

export function moveCommands(services: Services): CommandsOf<'move'> {
  const { accounts, catalog, entries, parts, recovery } = services

  /** The parts that the new version will have; their files have their second names, synced. */
  async function shareParts(row: EntryRow, key: Uint8Array): Promise<StoredPart[]> {
    const held = entries.partsOf(row)
    if (row.key === null) return held
    const inFiles = held.filter(({ data }) => data === null).map(({ part }) => part)
    const shared = await parts.share(row.key, key, inFiles)
    const lost = inFiles.filter((part) => !shared.includes(part))
    // Unseen until now, or the version ended meanwhile; the check at the entry tells which.
    for (const part of lost) recovery.report(row, part, 'PART_MISSING')
    return held.filter(({ part }) => !lost.includes(part))
  }

  async function move(user: string, request: RequestOf<'move'>): Promise<boolean> {
    const { file, version, source, sourceVersion, sealed, condition } = request
    const name = { user, file, version }
    const from = { user, file: source, version: sourceVersion }
    const row = entries.requireMovable(from)
    entries.checkPrepare(name, { condition, sealed })
    const key = keyOf(name)
    const release = parts.reserve(key)
    try {
      const stored = await shareParts(row, key)
      const { x, first, rows } = row
      const fields = { x, first, rows, sealed, key: row.key === null ? null : key, parts: stored }
      try {
        return await catalog.write(() => {
          if (accounts.storedKeyOf(user) === undefined) {
            throw new DfsError('ACCOUNT_UNKNOWN', 'The account was removed meanwhile.')
          }
          entries.requireMovable(from)
          const isReplacing = entries.checkPrepare(name, { condition, sealed })
          entries.applyPrepare({ ...name, ...fields }, { source, sourceVersion })
          return isReplacing
        })
      } catch (error) {
        await parts.remove({ key, parts: 15 })
        throw error
      }
    } finally {
      release()
    }
  }

  return {
    async move({ sender }, request) {
      if (Buffer.compare(request.file, request.source) === 0) {
        throw new DfsError('BAD_MESSAGE', 'A file cannot be moved to itself.')
      }
      return { header: { replaced: await move(sender.user, request) } }
    },
  }
}
