// Uploads that outlive their connections, their gateway and this process: the lanes' files of
// staging.ts under a name that stays, and checkpoints in the catalog that say how much of them
// counts. Who may write is decided here: the last who took the upload, and nobody before.
import type { Catalog } from './catalog.ts'
import { removeFile, toDiskError } from './durable.ts'
import type { KeptPoint, KeptRow, KeptTable } from './kept-table.ts'
import { DfsError } from './protocol/index.ts'
import { type Staging, syncedLanes, type Upload } from './staging.ts'

/** Unfinished ones of all users. They cost disk, and memory only while somebody writes. */
const MAX_KEPT = 16_384
/** Unfinished ones of one user: nobody takes all places, also not with a few friends. */
const MAX_OF_USER = 1024
/** How long a finished one is remembered, so that a client that missed the answer can ask. */
const DONE_MS = 24 * 3_600_000

export interface KeptUpload {
  row: KeptRow
  /** One or two, oldest first. */
  points: KeptPoint[]
}

/** Who writes to a kept upload now; lives in memory, so that a restart ends it. */
interface Lease {
  kept: Uint8Array
  user: string
  upload: Upload | undefined
}

export type KeptUploads = ReturnType<typeof createKeptUploads>

export function createKeptUploads(options: {
  catalog: Catalog
  table: KeptTable
  staging: Staging
  syncFolder: (path: string) => Promise<void>
}) {
  const { catalog, table, staging, syncFolder } = options
  /** By the hex of the id under which the writer sends. */
  const leases = new Map<string, Lease>()
  /** What is under way on each upload; the next waits for it. */
  const turns = new Map<string, Promise<unknown>>()

  /** One at a time for each upload. */
  async function inTurn<T>(id: Uint8Array, run: () => Promise<T>): Promise<T> {
    const key = hex(id)
    const turn = (turns.get(key) ?? Promise.resolve()).then(run, run)
    turns.set(key, turn)
    try {
      return await turn
    } finally {
      if (turns.get(key) === turn) turns.delete(key)
    }
  }

  /** @throws DfsError UPLOAD_UNKNOWN, also where the upload is another user's or has expired */
  function find(user: string, id: Uint8Array): KeptUpload {
    const row = table.find(id)
    if (row?.user !== user || row.expires_ms < Date.now()) throw unknown()
    return { row, points: table.points(id) }
  }

  /** @throws DfsError UPLOAD_EXISTS, BUSY */
  function open(
    user: string,
    upload: {
      id: Uint8Array
      first: number
      expiresMs: number
      sealed: Uint8Array
      /** The file is stored already; this only remembers it. */
      isDone: boolean
    },
  ): Promise<void> {
    const { id, first, expiresMs, sealed, isDone } = upload
    return catalog.write(() => {
      if (table.find(id) !== undefined) {
        throw new DfsError('UPLOAD_EXISTS', 'That upload id is taken.')
      }
      if (isDone) {
        table.insert({ id, user, first, expires_ms: expiresMs })
        table.finish(id, Date.now() + DONE_MS, sealed)
        return
      }
      if (table.count() >= MAX_KEPT || table.countOf(user) >= MAX_OF_USER) {
        throw new DfsError('BUSY', 'There are too many unfinished uploads.')
      }
      table.insert({ id, user, first, expires_ms: expiresMs })
      const nothing = { bytes: 0, pieceBytes: 0, checksum: 0 }
      const lanes = [nothing, nothing] as const
      table.addPoint(id, { number: 0, rows: 0, lanes, sealed, tail: undefined })
    })
  }

  /**
   * Makes `as` the only id under which rows and checkpoints are taken. Durable, so that every take
   * has another number, whoever dies.
   * @throws DfsError UPLOAD_UNKNOWN
   */
  function take(user: string, id: Uint8Array, as: Uint8Array): Promise<KeptUpload> {
    return inTurn(id, async () => {
      find(user, id)
      await endLeases(id)
      await catalog.write(() => table.take(id))
      leases.set(hex(as), { kept: id, user, upload: undefined })
      return find(user, id)
    })
  }

  /**
   * Goes back to a checkpoint and opens the files for rows after it.
   * @throws DfsError UPLOAD_UNKNOWN, OUT_OF_ORDER where there is no such checkpoint
   */
  function resume(user: string, as: Uint8Array, number: number): Promise<KeptPoint> {
    const lease = leaseOf(user, as)
    return inTurn(lease.kept, async () => {
      const { row, points } = find(user, lease.kept)
      requireLease(as, lease)
      const point = points.find((one) => one.number === number)
      if (point === undefined || row.is_done === 1) {
        throw new DfsError('OUT_OF_ORDER', 'The upload has no such checkpoint here.')
      }
      if (point !== points.at(-1)) await catalog.write(() => table.goBack(lease.kept, number))
      if (lease.upload !== undefined) await staging.release(lease.upload)
      const { first } = row
      const place = { id: hex(as), user, first, fileName: hex(lease.kept) }
      lease.upload = staging.reopen(place, point)
      await syncFolder(staging.folder).catch((error: unknown) => {
        throw toDiskError(error, 'opening an upload')
      })
      return point
    })
  }

  /**
   * Makes all rows that came so far durable, and with them what `point` says.
   * @throws DfsError UPLOAD_UNKNOWN, COUNT_MISMATCH, OUT_OF_ORDER, the fault of the upload
   */
  function checkpoint(
    user: string,
    as: Uint8Array,
    point: Omit<KeptPoint, 'lanes'> & { expiresMs: number },
  ): Promise<void> {
    const lease = leaseOf(user, as)
    const upload = lease.upload
    if (upload === undefined) throw unknown()
    if (upload.rows !== point.rows || upload.writer !== undefined) {
      if (upload.fault !== undefined) throw upload.fault
      const detail = { rows: upload.rows }
      throw new DfsError('COUNT_MISMATCH', 'The node has not the rows that were sent.', { detail })
    }
    // As they are now: rows that come while the disk works belong to the next checkpoint.
    const [one, two] = upload.lanes.map(({ bytes, pieceBytes, checksum }) => {
      return { bytes, pieceBytes, checksum }
    })
    const lanes = [one!, two!] as const
    return inTurn(lease.kept, async () => {
      await syncedLanes(upload)
      await catalog.write(() => {
        requireLease(as, lease)
        const newest = table.points(lease.kept).at(-1)
        if (newest === undefined) throw unknown()
        if (point.number !== newest.number + 1) {
          throw new DfsError('OUT_OF_ORDER', 'Checkpoints come one after the other.')
        }
        table.addPoint(lease.kept, { ...point, lanes })
        table.extend(lease.kept, point.expiresMs)
      })
    })
  }

  /**
   * The file is stored: frees what the upload held, and remembers `sealed` for a day. `upload` is
   * the id of its writer or, after a restart that ended all writers, its own.
   * @throws DfsError UPLOAD_UNKNOWN
   */
  function finish(user: string, upload: Uint8Array, sealed: Uint8Array): Promise<void> {
    const lease = leases.has(hex(upload)) ? leaseOf(user, upload) : undefined
    const id = lease?.kept ?? upload
    return inTurn(id, async () => {
      if (lease !== undefined) requireLease(upload, lease)
      const { row } = find(user, id)
      if (row.is_done === 1) return
      await endLeases(id)
      await catalog.write(() => table.finish(id, Date.now() + DONE_MS, sealed))
      await removeFiles(id)
    })
  }

  /** Forgets an upload and its bytes; one that is not there is no error. */
  function drop(user: string, id: Uint8Array): Promise<void> {
    return inTurn(id, async () => {
      if (table.find(id)?.user !== user) return
      await endLeases(id)
      await catalog.write(() => table.remove(id))
      await removeFiles(id)
    })
  }

  async function dropUser(user: string): Promise<void> {
    for (;;) {
      const page = table.ofUser(user, new Uint8Array(), { limit: 64, withDone: true })
      if (page.length === 0) return
      for (const { id } of page) await drop(user, id)
    }
  }

  /** Drops what has expired. */
  async function collect(nowMs: number): Promise<number> {
    let count = 0
    for (;;) {
      const page = table.expired(nowMs)
      if (page.length === 0) return count
      for (const { id, user } of page) await drop(user, id)
      count += page.length
    }
  }

  async function endLeases(id: Uint8Array): Promise<void> {
    for (const [key, { kept, upload }] of leases) {
      if (Buffer.compare(kept, id) !== 0) continue
      leases.delete(key)
      if (upload !== undefined) await staging.release(upload)
    }
  }

  async function removeFiles(id: Uint8Array): Promise<void> {
    for (const lane of [0, 1, 2, 3]) await removeFile(`${staging.folder}/${hex(id)}.${lane}`)
  }

  function leaseOf(user: string, as: Uint8Array): Lease {
    const lease = leases.get(hex(as))
    if (lease?.user !== user) throw unknown()
    return lease
  }

  function requireLease(as: Uint8Array, lease: Lease): void {
    if (leases.get(hex(as)) !== lease) throw unknown()
  }

  return {
    find,
    open,
    take,
    resume,
    checkpoint,
    finish,
    drop,
    dropUser,
    collect,
    ofUser: (user: string, after: Uint8Array, limit: number): KeptUpload[] =>
      table
        .ofUser(user, after, { limit, withDone: false })
        .map((row) => ({ row, points: table.points(row.id) })),
    /** Whether a staged file of that id belongs to an upload that goes on. */
    isKept: (idHex: string) => table.find(Buffer.from(idHex, 'hex'))?.is_done === 0,
    has: (user: string, id: Uint8Array) => table.find(id)?.user === user,
  }
}

function unknown(): DfsError {
  return new DfsError('UPLOAD_UNKNOWN', 'This node has no such upload, or another one writes it.')
}

function hex(id: Uint8Array): string {
  return Buffer.from(id).toString('hex')
}
