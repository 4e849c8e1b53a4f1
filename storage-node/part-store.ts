// The part files: pieces in order, each followed by its CRC-32 (4 bytes, big-endian), under
// parts/<2 hex>/<key>.part<N>. Places, opens and removes them; which ones should exist the catalog
// says.
import { createHash } from 'node:crypto'
import { close, fstat, open, read, stat } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import {
  createFolderSync,
  linkFile,
  moveFile,
  removeFile,
  removeFileSync,
  toDiskError,
} from './durable.ts'
import { type Doomed, partsIn, type VersionName } from './entry-table.ts'
import type { Log } from './log.ts'
import { DfsError } from './protocol/index.ts'

const openAsync = promisify(open)
const readAsync = promisify(read)
const fstatAsync = promisify(fstat)
const statAsync = promisify(stat)
const closeAsync = promisify(close)

/** Bytes of the CRC-32 after each piece. */
export const CRC_BYTES = 4
const KEY_BYTES = 16
/** Names that are looked up in the catalog in one turn. */
const COLLECT_AT_ONCE = 64
const FILE_NAME = /^([0-9a-f]{32})\.part[1-4]$/

/** Where the pieces of one part lie inside its file. */
export interface PartShape {
  rows: number
  /** Bytes of all pieces. */
  bytes: number
  /** Bytes of each piece but the last, which may be shorter. */
  pieceBytes: number
}

/** One row's piece of a part, and the CRC-32 that was stored with it. */
export interface StoredPiece {
  row: number
  piece: Buffer
  crc: number
}

/** An open part. Keeps its bytes readable however long it takes, also when the file is removed. */
export interface PartReader {
  /**
   * The pieces of `count` rows from `row` on, read at once; valid until the next call.
   * @throws DfsError PART_MISSING, DISK_FAILED
   */
  read(row: number, count: number): Promise<StoredPiece[]>
  close(): Promise<void>
}

export type PartStore = ReturnType<typeof createPartStore>

export function createPartStore(options: {
  folder: string
  log: Log
  /** Whether somebody reads, or read of late, the files of that key (hex). Default: nobody. */
  isRead?: (keyHex: string) => boolean
}) {
  const { folder, log, isRead = () => false } = options
  const syncFolder = createFolderSync()
  /** Keys whose files are being made or removed: nobody else may touch those names meanwhile. */
  const reserved = new Set<string>()
  /** What is to be removed once nobody reads it any more, by key in hex. */
  const lingering = new Map<string, Doomed>()

  const folderOf = (key: string) => `${folder}/${key.slice(0, 2)}`
  const pathOf = (key: string, part: number) => `${folderOf(key)}/${key}.part${part}`

  /** Takes a key until the answer is called. @throws DfsError STALE_VERSION */
  function reserve(key: Uint8Array): () => void {
    const name = hex(key)
    if (reserved.has(name)) {
      throw new DfsError('STALE_VERSION', 'That very version is being written or removed.')
    }
    reserved.add(name)
    return () => void reserved.delete(name)
  }

  /**
   * Moves synced files to their places, durably. The key must be reserved.
   * @throws DfsError NO_SPACE, DISK_FAILED
   */
  async function place(
    key: Uint8Array,
    files: readonly { path: string; part: number }[],
    from: string,
  ): Promise<void> {
    try {
      await move(key, files, from)
    } catch (error) {
      await remove({ key, parts: 15 })
      for (const { path } of files) await removeFile(path).catch(() => {})
      throw toDiskError(error, 'placing a part')
    }
  }

  async function move(
    key: Uint8Array,
    files: readonly { path: string; part: number }[],
    from: string,
  ): Promise<void> {
    const name = hex(key)
    await Promise.all(files.map(({ path, part }) => moveFile(path, pathOf(name, part))))
    await Promise.all([syncFolder(folderOf(name)), syncFolder(from)])
  }

  /**
   * Gives parts of one version to another one too, durably: a second name for each file, whose
   * bytes stay where they are. `to` must be reserved. Answers the parts whose files are there.
   * @throws DfsError NO_SPACE, DISK_FAILED
   */
  async function share(
    from: Uint8Array,
    to: Uint8Array,
    wanted: readonly number[],
  ): Promise<number[]> {
    const [source, target] = [hex(from), hex(to)]
    const shareOne = async (part: number): Promise<number[]> => {
      try {
        await linkFile(pathOf(source, part), pathOf(target, part))
        return [part]
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      }
    }
    try {
      const shared = await Promise.all(wanted.map(shareOne))
      await syncFolder(folderOf(target))
      return shared.flat()
    } catch (error) {
      await remove({ key: to, parts: 15 })
      throw toDiskError(error, 'sharing a part')
    }
  }

  /**
   * Gives synced files a second name in their places, durably. The key must be reserved.
   * @throws DfsError NO_SPACE, DISK_FAILED
   */
  async function link(
    key: Uint8Array,
    files: readonly { path: string; part: number }[],
  ): Promise<void> {
    const name = hex(key)
    try {
      await Promise.all(files.map(({ path, part }) => linkFile(path, pathOf(name, part))))
      await syncFolder(folderOf(name))
    } catch (error) {
      await remove({ key, parts: 15 })
      throw toDiskError(error, 'placing a part')
    }
  }

  /**
   * Puts a synced file in the place of the one that is there, if any, durably: at every moment one
   * of the two is there. The key must be reserved.
   * @throws DfsError NO_SPACE, DISK_FAILED
   */
  async function replace(
    key: Uint8Array,
    file: { path: string; part: number },
    from: string,
  ): Promise<void> {
    await move(key, [file], from).catch((error: unknown) => {
      throw toDiskError(error, 'replacing a part')
    })
  }

  /** Whether the file of a part is there and as long as it should be. */
  async function isWhole(
    key: Uint8Array,
    part: number,
    shape: Pick<PartShape, 'rows' | 'bytes'>,
  ): Promise<boolean> {
    try {
      const { size } = await statAsync(pathOf(hex(key), part))
      return size >= shape.bytes + shape.rows * CRC_BYTES
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw toDiskError(error, 'looking at a part')
    }
  }

  /**
   * Removes part files under a reserved key. What cannot be removed is collected at the next start.
   */
  async function remove({ key, parts }: Doomed): Promise<void> {
    for (const part of partsIn(parts)) {
      try {
        await removeFile(pathOf(hex(key), part))
      } catch (error) {
        log.warn('A part file could not be removed.', { reason: String(error) })
      }
    }
  }

  /** Removes the files of versions that the catalog has forgotten; once nobody reads them. */
  async function discard(doomed: readonly Doomed[]): Promise<void> {
    for (const one of doomed) {
      const name = hex(one.key)
      if (isRead(name)) {
        lingering.set(name, one)
        continue
      }
      const isMine = !reserved.has(name)
      if (isMine) reserved.add(name)
      await remove(one)
      if (isMine) reserved.delete(name)
    }
  }

  /** Removes what lingers and is read no more; all of it where the node stops or needs the room. */
  async function discardRead(options: { all: boolean }): Promise<void> {
    for (const [name, one] of lingering) {
      if (!options.all && isRead(name)) continue
      lingering.delete(name)
      await remove(one)
    }
  }

  /** @throws DfsError PART_MISSING, DISK_FAILED */
  async function openPart(key: Uint8Array, part: number, shape: PartShape): Promise<PartReader> {
    let fd: number
    try {
      fd = await openAsync(pathOf(hex(key), part), 'r')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw missing(part)
      throw toDiskError(error, 'opening a part')
    }
    const { size } = await fstatAsync(fd)
    if (size < shape.bytes + shape.rows * CRC_BYTES) {
      await closeAsync(fd)
      throw missing(part)
    }
    return fileReader(fd, part, shape)
  }

  /**
   * Removes files that no entry names: what a crash left between rename and commit, or after a
   * removal. Safe while the node serves: a name that is being made is reserved before its file is
   * there and until its entry is, and between the look and the removal nothing else can run.
   */
  async function collect(
    isKnown: (key: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<number> {
    let removedCount = 0
    for (const inner of await readdir(folder)) {
      let seen = 0
      for (const name of await readdir(`${folder}/${inner}`)) {
        // A few at a time, so that requests are answered in between.
        if (++seen % COLLECT_AT_ONCE === 0) await new Promise(setImmediate)
        if (signal.aborted) return removedCount
        const key = FILE_NAME.exec(name)?.[1]
        if (key === undefined || reserved.has(key) || lingering.has(key)) continue
        if (isKnown(Buffer.from(key, 'hex'))) continue
        removeFileSync(`${folder}/${inner}/${name}`)
        removedCount++
      }
    }
    return removedCount
  }

  return {
    ...{ reserve, place, link, share, replace, isWhole, remove, discard, discardRead },
    ...{ openPart, collect, syncFolder },
    /** Where the file of a part is, or would be. */
    pathOf: (key: Uint8Array, part: number) => pathOf(hex(key), part),
  }
}

/** Names the files of a version without telling user, file or version apart. */
export function keyOf({ user, file, version }: VersionName): Buffer {
  const hash = createHash('sha256').update(user).update(Buffer.of(0)).update(file).update(version)
  return hash.digest().subarray(0, KEY_BYTES)
}

/** A part that lies in the catalog: one piece and its CRC-32. */
export function inlineReader(data: Uint8Array): PartReader {
  return {
    read: async (row) => [
      { row, ...splitPiece(Buffer.from(data.buffer, data.byteOffset, data.byteLength)) },
    ],
    close: async () => {},
  }
}

/** Piece and checksum of bytes that hold one piece and its CRC-32. */
export function splitPiece(bytes: Buffer): { piece: Buffer; crc: number } {
  const pieceBytes = bytes.length - CRC_BYTES
  return { piece: bytes.subarray(0, pieceBytes), crc: bytes.readUInt32BE(pieceBytes) }
}

function fileReader(fd: number, part: number, shape: PartShape): PartReader {
  const { rows, bytes, pieceBytes } = shape
  const stride = pieceBytes + CRC_BYTES
  let buffer = Buffer.alloc(0)
  return {
    async read(row, count) {
      const isToEnd = row + count === rows
      const length = isToEnd ? bytes - row * pieceBytes + count * CRC_BYTES : count * stride
      if (buffer.length < length) buffer = Buffer.allocUnsafeSlow(length)
      let filled = 0
      while (filled < length) {
        const at = row * stride + filled
        const { bytesRead } = await readAsync(fd, buffer, filled, length - filled, at).catch(
          (error: unknown) => {
            throw toDiskError(error, 'reading a part')
          },
        )
        if (bytesRead === 0) throw missing(part)
        filled += bytesRead
      }
      return Array.from({ length: count }, (_, at) => {
        const stored = buffer.subarray(at * stride, Math.min((at + 1) * stride, length))
        return { row: row + at, ...splitPiece(stored) }
      })
    },
    close: () => closeAsync(fd),
  }
}

function missing(part: number): DfsError {
  const message = `The file of part ${part} of that version is gone or cut short.`
  return new DfsError('PART_MISSING', message)
}

function hex(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('hex')
}
