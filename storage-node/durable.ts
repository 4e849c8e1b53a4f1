// Bytes that must survive a power cut: whole writes, syncs of files and folders, durable renames.
// Knows nothing of parts or catalogs; every caller acknowledges only after these have returned.
import { close, fdatasync, fsync, link, open, rename, unlink, unlinkSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { DfsError } from './protocol/index.ts'

const openAsync = promisify(open)
const closeAsync = promisify(close)
const fsyncAsync = promisify(fsync)
const fdatasyncAsync = promisify(fdatasync)
const linkAsync = promisify(link)
const renameAsync = promisify(rename)
const unlinkAsync = promisify(unlink)

/**
 * Writes all of `bytes` at `position`; the kernel may take fewer at a time and call that success.
 */
export function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  let written = 0
  while (written < bytes.length) {
    const count = writeSync(fd, bytes, written, bytes.length - written, position + written)
    if (count <= 0) throw new DfsError('DISK_FAILED', 'The disk took no bytes of a write.')
    written += count
  }
}

/** Data and length of an open file are on the disk when this resolves. */
export async function syncData(fd: number): Promise<void> {
  await fdatasyncAsync(fd)
}

/** The names inside a folder are on the disk when this resolves. */
export async function syncFolder(path: string): Promise<void> {
  const fd = await openAsync(path, 'r')
  try {
    await fsyncAsync(fd)
  } finally {
    await closeAsync(fd)
  }
}

export async function moveFile(from: string, to: string): Promise<void> {
  await renameAsync(from, to)
}

/** Gives a file a second name; what has that name already loses it. No byte is copied. */
export async function linkFile(from: string, to: string): Promise<void> {
  await removeFile(to)
  await linkAsync(from, to)
}

/** Removes a file; one that is gone already is no error. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlinkAsync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** As `removeFile`, in this turn: nothing else runs between a look at the name and its removal. */
export function removeFileSync(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Writes a small file so that after a crash it is there whole or not at all. */
export async function writeFileDurably(options: {
  folder: string
  name: string
  bytes: Uint8Array
}): Promise<void> {
  const { folder, name, bytes } = options
  const fresh = `${folder}/${name}.new`
  const fd = await openAsync(fresh, 'w', 0o600)
  try {
    writeAll(fd, bytes, 0)
    await fsyncAsync(fd)
  } finally {
    await closeAsync(fd)
  }
  await renameAsync(fresh, `${folder}/${name}`)
  await syncFolder(folder)
}

/**
 * Syncs folders for many callers at once: who asks while a sync of that folder is under way shares
 * the next one, because the present one may have begun before the caller's rename. Where the
 * present one fails, it fails for all who wait, too: the system tells of a loss once, and a second
 * sync would call names safe that the first has lost.
 */
export function createFolderSync(): (path: string) => Promise<void> {
  interface Run {
    current: Promise<void>
    next?: Promise<void>
  }
  const runs = new Map<string, Run>()

  function start(path: string): Promise<void> {
    const run: Run = { current: syncFolder(path) }
    runs.set(path, run)
    const settle = () => {
      if (runs.get(path) === run && run.next === undefined) runs.delete(path)
    }
    run.current.then(settle, settle)
    return run.current
  }

  return (path) => {
    const run = runs.get(path)
    if (run === undefined) return start(path)
    run.next ??= run.current.then(
      () => start(path),
      (error: unknown) => {
        runs.delete(path)
        throw error
      },
    )
    return run.next
  }
}

/**
 * What went wrong with the disk, as NO_SPACE or DISK_FAILED; names no path. A fault of ours is
 * INTERNAL.
 */
export function toDiskError(error: unknown, doing: string): DfsError {
  if (error instanceof DfsError) return error
  const { code, errcode } = error as { code?: string; errcode?: number }
  if (code === undefined)
    return new DfsError('INTERNAL', `A fault while ${doing}.`, { cause: error })
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || (errcode ?? 0) % 256 === SQLITE_FULL
  if (isFull) return new DfsError('NO_SPACE', `The disk is full (${doing}).`, { cause: error })
  const reason = errcode === undefined ? code : (error as Error).message
  return new DfsError('DISK_FAILED', `The disk failed (${doing}: ${reason}).`, { cause: error })
}

const SQLITE_FULL = 13
