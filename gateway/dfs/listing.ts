// A page of a user's files: filtered by prefix and search, folders rolled up, in order of name.
import { createHash } from 'node:crypto'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import type { Identity } from './identity.ts'
import type { FileInfo, Listing, ListQuery } from './store.ts'
import { UserFiles } from './user-files.ts'

/**
 * Files remembered over all users, about 1 KB each; the users that listed least lately are
 * forgotten first.
 */
const MAX_REMEMBERED_FILES = 1_000_000
const MAX_LIMIT = 1000

type Row = { key: string } & (
  | { file: FileInfo; folder?: undefined }
  | { folder: Listing['folders'][number]; file?: undefined }
)

/** Listings of all users of this process, with what they remember between pages. */
export function createListings(cluster: Cluster) {
  const users = new Map<string, UserFiles>()

  function filesOf(identity: Identity): UserFiles {
    // An account that was removed and made again under the same name has another user key.
    const digest = createHash('sha256').update(identity.userKey.export()).digest('hex')
    const key = `${identity.user} ${digest}`
    const files = users.get(key) ?? new UserFiles()
    users.delete(key)
    users.set(key, files)
    return files
  }

  function forgetBeyondLimit(): void {
    let count = 0
    for (const [key, files] of [...users].reverse()) {
      count += files.entryCount
      if (count > MAX_REMEMBERED_FILES) users.delete(key)
    }
  }

  return {
    /** @throws DfsError BAD_REQUEST, AUTH_FAILED, NODES_UNAVAILABLE */
    async list(identity: Identity, query: ListQuery): Promise<Listing> {
      const limit = query.limit ?? MAX_LIMIT
      if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
        throw new DfsError('BAD_REQUEST', `limit must be a whole number from 1 to ${MAX_LIMIT}.`)
      }
      const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor)
      const files = filesOf(identity)
      const answered = await files.refresh(cluster, identity, query.signal)
      forgetBeyondLimit()
      const matching = [...files.files(identity, answered)].filter((file) => matches(file, query))
      const rows = rollUp(matching, query).sort((a, b) => (a.key < b.key ? -1 : 1))
      const start = after === undefined ? 0 : firstAfter(rows, after)
      const page = rows.slice(start, start + limit)
      const last = page.at(-1)
      const hasMore = last !== undefined && start + limit < rows.length
      return {
        files: page.flatMap(({ file }) => file ?? []),
        folders: page.flatMap(({ folder }) => folder ?? []),
        ...(hasMore && { next: encodeCursor(last.key) }),
        total: {
          fileCount: matching.length,
          sizeBytes: matching.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        },
        missingNodes: cluster
          .states()
          .filter((_, node) => !answered.includes(node))
          .map(({ name }) => name),
      }
    },
  }
}

function matches(file: FileInfo, { prefix, search }: ListQuery): boolean {
  if (prefix !== undefined && !file.name.startsWith(prefix)) return false
  if (search === undefined || search === '') return true
  return file.name.toLowerCase().includes(search.normalize('NFC').toLowerCase())
}

/** Each file as a row, but files with the delimiter after the prefix as one row for each folder. */
function rollUp(files: readonly FileInfo[], { prefix = '', delimiter }: ListQuery): Row[] {
  if (delimiter === undefined || delimiter === '') {
    return files.map((file) => ({ key: file.name, file }))
  }
  const rows: Row[] = []
  const folders = new Map<string, Listing['folders'][number]>()
  for (const file of files) {
    const at = file.name.indexOf(delimiter, prefix.length)
    if (at === -1) {
      rows.push({ key: file.name, file })
      continue
    }
    const folderPrefix = file.name.slice(0, at + delimiter.length)
    const folder = folders.get(folderPrefix) ?? { prefix: folderPrefix, fileCount: 0, sizeBytes: 0 }
    folder.fileCount++
    folder.sizeBytes += file.sizeBytes
    folders.set(folderPrefix, folder)
  }
  // No name holds NUL, so folders come before all files, on the first pages.
  for (const folder of folders.values()) rows.push({ key: `\0${folder.prefix}`, folder })
  return rows
}

function firstAfter(rows: readonly Row[], key: string): number {
  const at = rows.findIndex((row) => row.key > key)
  return at === -1 ? rows.length : at
}

function encodeCursor(key: string): string {
  return Buffer.from(key).toString('base64url')
}

function decodeCursor(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  if (bytes.length === 0 || bytes.toString('base64url') !== cursor) {
    throw new DfsError('BAD_REQUEST', 'The cursor is not one that a listing gave.')
  }
  return bytes.toString()
}
