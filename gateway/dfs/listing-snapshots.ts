// What a gateway remembers of a user's files, kept on its disk from one start to the next, so that
// the first listing asks only for what has changed since: to open the descriptions of 100,000 files
// takes seconds. File and file name come from the user key: without a sign-in they say no more
// than a node knows, that somebody has so many files. Only a cache: a snapshot that is missing,
// torn, old or another's costs time and nothing else, so nothing here is synced, and nothing fails.
import { type KeyObject, randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { decodeStrict, encodeHeader } from '@fourfold/storage-node/protocol'
import { ALL_NODES } from './cluster.ts'
import { FileIndex } from './file-index.ts'
import { FileTable, type PackedFiles } from './file-table.ts'
import type { Identity } from './identity.ts'
import { listingKeysOf, openBytes, sealBytes } from './keys.ts'
import type { NodeCursor } from './user-files.ts'

const FORMAT = 1
const SUFFIX = '.listing'
const ID_BYTES = 16
const LENGTH_BYTES = 4
/** It begins when who listed so many files for the first time can have read all of them. */
const DELAY_MS_PER_FILE = 0.01
/** Files in a sealed page: milliseconds of work at a time. */
const PAGE_FILES = 4096
/** It rests so many times as long as it worked: whoever lists meanwhile hardly notices. */
const REST_RATIO = 10
/** More than a page of the longest names. */
const MAX_PAGE_BYTES = 64 << 20
/** Fewer files are listed at once from what the nodes say. */
const MIN_FILES = 5000
/** Of all snapshots; those that were used least lately go first. */
const MAX_TOTAL_BYTES = 4 * 2 ** 30
const MAX_AGE_MS = 30 * 24 * 3_600_000
const CONSEQUENCE = 'after a start, the first listing of many files takes longer.'

/** What is known of a user's files, and up to which changes of each node. */
export interface KnownFiles {
  index: FileIndex
  cursors: (NodeCursor | undefined)[]
}

export interface ListingSnapshots {
  /** What was kept, or undefined; never throws. */
  load(identity: Identity): Promise<KnownFiles | undefined>
  /** Keeps it in the background, soon; false where it is too little, or another is being kept. */
  keep(identity: Identity, known: KnownFiles): boolean
  /** Gives up what is being kept. */
  close(): Promise<void>
}

interface Head {
  format: number
  /** Files at the beginning that stand in order of name. */
  inOrder: number
  pages: number
  cursors: ({ epoch: Uint8Array; since: number } | null)[]
}

export interface SnapshotOptions {
  /** Made where it is missing. */
  folder: string
  minFiles?: number
  maxTotalBytes?: number
  /** Takes one line about what an operator should know. */
  log: (line: string) => void
}

/** Reads and writes in `folder`, sealed by keys of the users; close it before the process ends. */
export function createListingSnapshots(options: SnapshotOptions): ListingSnapshots {
  const { folder, minFiles = MIN_FILES, maxTotalBytes = MAX_TOTAL_BYTES, log } = options
  let running: Promise<void> | undefined
  const closed = new AbortController()
  let hasFailed = false

  function placeOf({ userKey }: Identity) {
    const { name, key } = listingKeysOf(userKey)
    return { path: join(folder, `${name}${SUFFIX}`), key }
  }

  async function keepSoon(identity: Identity, { index, cursors }: KnownFiles): Promise<void> {
    const { signal } = closed
    // Those of now: in the middle of a later listing they would be ahead of what is known.
    const upTo = cursors.map((cursor) => cursor && { ...cursor })
    await rest(index.table.count * DELAY_MS_PER_FILE, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    const { path, key } = placeOf(identity)
    const part = `${path}.${randomBytes(4).toString('hex')}`
    const pages = sealedPages(key, { index, cursors: upTo })
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await using file = await open(part, 'wx', 0o600)
      while (!signal.aborted) {
        const begunMs = performance.now()
        const { value: bytes, done } = pages.next()
        if (done === true) break
        const restMs = REST_RATIO * (performance.now() - begunMs)
        const { bytesWritten } = await file.write(bytes)
        if (bytesWritten < bytes.length) throw new Error('The disk is full.')
        await rest(restMs)
      }
      if (!signal.aborted) await rename(part, path)
      await makeRoom(folder, maxTotalBytes)
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
      if (!hasFailed) log(`Listings cannot be kept in ${folder} (${reason}): ${CONSEQUENCE}`)
      hasFailed = true
    } finally {
      await rm(part, { force: true }).catch(() => {})
    }
  }

  return {
    async load(identity) {
      const { path, key } = placeOf(identity)
      try {
        await using file = await open(path)
        const known = await readSnapshot(file, key)
        const now = new Date()
        await utimes(path, now, now)
        return known
      } catch {
        return undefined
      }
    },
    keep(identity, known) {
      if (closed.signal.aborted || running !== undefined) return false
      if (known.index.table.count < minFiles) return false
      running = keepSoon(identity, known).finally(() => {
        running = undefined
      })
      return true
    },
    async close() {
      closed.abort()
      await running
    },
  }
}

/**
 * A random id, then head and pages, each as `length(4) sealed`, bound to the id and its place. The
 * pages are made one by one, of what is known by then: the nodes tell again what came after the
 * cursors.
 */
function sealedPages(key: KeyObject, { index, cursors }: KnownFiles): Iterator<Buffer, void> {
  const { slots, inOrder } = index.knownSlots()
  const id = randomBytes(ID_BYTES)
  const pages = Math.ceil(slots.length / PAGE_FILES)
  const head: Head = {
    ...{ format: FORMAT, inOrder, pages },
    cursors: cursors.map((cursor) => cursor ?? null),
  }
  let place = 0
  const sealed = (plain: Uint8Array): Buffer => {
    const bytes = sealBytes(key, contextOf(id, place++), plain)
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  const first = Buffer.concat([id, sealed(encodeHeader(head))])
  return packed(first, pages, (page) => {
    const some = slots.subarray(page * PAGE_FILES, (page + 1) * PAGE_FILES)
    return sealed(encodePage(index.table.pack(some)))
  })
}

function* packed(
  first: Buffer,
  pages: number,
  pageAt: (page: number) => Buffer,
): Generator<Buffer> {
  yield first
  for (let page = 0; page < pages; page++) yield pageAt(page)
}

/** @throws Error where it is no snapshot under this key, or not a whole one */
async function readSnapshot(file: FileHandle, key: KeyObject): Promise<KnownFiles> {
  const id = await readBytes(file, ID_BYTES)
  let place = 0
  const opened = async (): Promise<Buffer> => {
    const length = (await readBytes(file, LENGTH_BYTES)).readUInt32BE()
    if (length > MAX_PAGE_BYTES) throw new Error('It is too long.')
    const plain = openBytes(key, contextOf(id, place++), await readBytes(file, length))
    if (plain === undefined) throw new Error('It does not open.')
    return plain
  }
  const head = decodeStrict(await opened()) as Head
  if (head.format !== FORMAT) throw new Error('It is of another format.')
  const table = new FileTable()
  for (let page = 0; page < head.pages; page++) table.append(decodePage(await opened()))
  return {
    index: new FileIndex(table, head.inOrder),
    cursors: ALL_NODES.map((node) => {
      const cursor = head.cursors[node]
      return cursor ? { epoch: Buffer.from(cursor.epoch), since: cursor.since } : undefined
    }),
  }
}

async function readBytes(file: FileHandle, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length)
  if (bytesRead < length) throw new Error('It is too short.')
  return buffer
}

function contextOf(id: Buffer, place: number): Buffer {
  const context = Buffer.alloc(ID_BYTES + 4)
  id.copy(context)
  context.writeUInt32BE(place, ID_BYTES)
  return context
}

/** `length(4) texts records`. */
function encodePage({ records, ...texts }: PackedFiles): Buffer {
  const json = Buffer.from(JSON.stringify(texts))
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(json.length)
  return Buffer.concat([length, json, records])
}

function decodePage(bytes: Buffer): PackedFiles {
  const end = LENGTH_BYTES + bytes.readUInt32BE()
  const texts = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end))
  return { ...texts, records: bytes.subarray(end) }
}

/** Removes what is too old or left over, then what was used least lately, down to the maximum. */
async function makeRoom(folder: string, maxTotalBytes: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.includes(SUFFIX))
  const all = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name)
      // Another worker may have finished or removed it meanwhile.
      const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: Date.now() }))
      return { path, size, mtimeMs }
    }),
  )
  let totalBytes = 0
  for (const { path, size, mtimeMs } of all.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
    totalBytes += size
    if (totalBytes <= maxTotalBytes && Date.now() - mtimeMs < MAX_AGE_MS) continue
    await rm(path, { force: true })
  }
}
