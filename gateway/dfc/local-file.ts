// A downloaded file on this machine's disk: whole under its name or not there at all. Knows no
// store.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import {
  type FileHandle,
  link,
  lstat,
  open,
  realpath,
  rename,
  stat,
  unlink,
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { DfsError } from '@fourfold/storage-node/protocol'
import { hashStart, partPath, wrongContent } from './part-file.ts'
import { localError, systemReasons, visibleText } from './voice.ts'

/** What stands at a path: nothing, a plain file, a folder, or a device or pipe. */
export type Standing = 'nothing' | 'file' | 'folder' | 'device'

/** @throws DfsError where the path cannot be looked at */
export async function standingOf(path: string): Promise<Standing> {
  try {
    const stats = await stat(path)
    if (stats.isDirectory()) return 'folder'
    return stats.isFile() ? 'file' : 'device'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'nothing'
    throw failure(path, error)
  }
}

/** Where `name` of the store goes: `path` itself, or its last segment inside the folder `path`. */
export async function targetPath(name: string, path: string | undefined): Promise<string> {
  const own = basename(name)
  if (path === undefined) return own
  if (!path.endsWith('/') && (await standingOf(path)) !== 'folder') return path
  return join(path, own)
}

/** The refusal to replace a file. */
export function existsError(path: string): Error {
  return localError(`${visibleText(path)} is here already.`, 'Use --force to replace it.')
}

/** Where the file itself will be: a link that stands there keeps pointing. */
export async function destinationOf(path: string): Promise<string> {
  return (await standingOf(path)) === 'file' ? await realpath(path) : resolve(path)
}

export interface WholeFile {
  path: string
  mayReplace: boolean
  content: AsyncIterable<Uint8Array>
  /**
   * The MD5 of the whole, and how many of its bytes are in the part that a broken download left;
   * `content` is the rest. Where it breaks again, what there is stays.
   */
  goOn?: { md5: string; fromBytes: number }
}

/**
 * Writes `content` to a file beside `path`, syncs it, and gives it its name only then. A device or
 * pipe is written to as it is.
 * @throws DfsError DIGEST_MISMATCH, and whatever `content` throws
 */
export async function writeWhole(options: WholeFile): Promise<void> {
  const { mayReplace, content, goOn } = options
  const standing = await standingOf(options.path)
  if (standing === 'device') return writeInto(options.path, content)
  if (standing === 'folder') {
    throw localError(
      `${visibleText(options.path)} is a folder.`,
      'Give the path of a file with -o.',
    )
  }
  if (standing === 'file' && !mayReplace) throw existsError(options.path)

  const path = await destinationOf(options.path)
  const temporary =
    goOn === undefined
      ? join(dirname(path), `.dfc-${randomBytes(6).toString('hex')}.part`)
      : partPath({ path, md5: goOn.md5 })
  const flags = constants.O_RDWR | constants.O_CREAT | (goOn ? 0 : constants.O_EXCL)
  const handle = await open(temporary, flags).catch((error) => {
    throw failure(path, error)
  })
  let isKept = false
  try {
    try {
      if (goOn === undefined) await writeAll(handle, content, { path, fromBytes: 0 })
      else {
        isKept = true
        await writeRest(handle, content, { path, ...goOn }).catch((error) => {
          isKept = (error as DfsError).code !== 'DIGEST_MISMATCH'
          throw error
        })
      }
      if (standing === 'file') await handle.chmod((await stat(path)).mode & 0o777)
      await handle.sync()
    } finally {
      isKept &&= (await handle.stat()).size > 0
      await handle.close()
    }
    await giveName(temporary, path, mayReplace)
  } catch (error) {
    if (!isKept) await unlink(temporary).catch(() => {})
    throw error
  }
}

/** Goes on after the bytes that are there, and checks the MD5 of all. */
async function writeRest(
  handle: FileHandle,
  content: AsyncIterable<Uint8Array>,
  { path, md5, fromBytes }: { path: string; md5: string; fromBytes: number },
): Promise<void> {
  const hash = await hashStart(handle, fromBytes)
  await handle.truncate(fromBytes)
  async function* hashed() {
    for await (const bytes of content) {
      hash.update(bytes)
      yield bytes
    }
  }
  await writeAll(handle, hashed(), { path, fromBytes })
  if (hash.digest('hex') !== md5) throw wrongContent()
}

async function writeInto(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const flags = constants.O_WRONLY
  await using handle = await open(path, flags).catch((error) => {
    throw failure(path, error)
  })
  await writeAll(handle, content, { path, fromBytes: undefined })
}

/** From byte `fromBytes` on; undefined where there are no places, as in a pipe. */
async function writeAll(
  handle: FileHandle,
  content: AsyncIterable<Uint8Array>,
  { path, fromBytes }: { path: string; fromBytes: number | undefined },
): Promise<void> {
  let at = fromBytes
  for await (const bytes of content) {
    let writtenBytes = 0
    while (writtenBytes < bytes.length) {
      const place = at === undefined ? null : at + writtenBytes
      const result = await handle
        .write(bytes, writtenBytes, bytes.length - writtenBytes, place)
        .catch((error) => {
          throw failure(path, error)
        })
      writtenBytes += result.bytesWritten
    }
    if (at !== undefined) at += bytes.length
  }
}

/** link(2) refuses a name that is taken, in one step; rename(2) would replace it. */
async function giveName(temporary: string, path: string, mayReplace: boolean): Promise<void> {
  try {
    if (mayReplace) await rename(temporary, path)
    else await linkOrRename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST'
      ? existsError(path)
      : failure(path, error)
  }
}

async function linkOrRename(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path)
    await unlink(temporary)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Disks without hard links (FAT) say one of these: look, then rename.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
    const isTaken = await lstat(path).then(
      () => true,
      () => false,
    )
    if (isTaken) throw existsError(path)
    await rename(temporary, path)
  }
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r')
  await handle.sync()
}

function failure(path: string, error: unknown): Error {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined) return error as Error
  const message = `${visibleText(path)} cannot be written: ${systemReasons[code] ?? code}.`
  const hint = code === 'ENAMETOOLONG' ? 'Give another name with -o.' : 'Check the path after -o.'
  return localError(message, hint, error)
}
