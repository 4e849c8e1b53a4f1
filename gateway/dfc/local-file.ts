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

/**
 * Writes `content` to a new file beside `path`, syncs it, and gives it its name only then. Where it
 * cannot be whole, nothing stays. A device or pipe is written to as it is.
 * @throws DfsError, and whatever `content` throws
 */
export async function writeWhole(options: {
  path: string
  mayReplace: boolean
  content: AsyncIterable<Uint8Array>
}): Promise<void> {
  const { mayReplace, content } = options
  const standing = await standingOf(options.path)
  if (standing === 'device') return writeInto(options.path, content)
  if (standing === 'folder') {
    throw localError(
      `${visibleText(options.path)} is a folder.`,
      'Give the path of a file with -o.',
    )
  }
  if (standing === 'file' && !mayReplace) throw existsError(options.path)

  // A link that stands there keeps pointing: the file behind it is the one to replace.
  const path = standing === 'file' ? await realpath(options.path) : resolve(options.path)
  const temporary = join(dirname(path), `.dfc-${randomBytes(6).toString('hex')}.part`)
  const handle = await open(temporary, 'wx').catch((error) => {
    throw failure(path, error)
  })
  try {
    try {
      await writeAll(handle, content, path)
      if (standing === 'file') await handle.chmod((await stat(path)).mode & 0o777)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await giveName(temporary, path, mayReplace)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
}

async function writeInto(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const flags = constants.O_WRONLY
  await using handle = await open(path, flags).catch((error) => {
    throw failure(path, error)
  })
  await writeAll(handle, content, path)
}

async function writeAll(
  handle: FileHandle,
  content: AsyncIterable<Uint8Array>,
  path: string,
): Promise<void> {
  for await (const bytes of content) {
    let writtenBytes = 0
    while (writtenBytes < bytes.length) {
      const result = await handle.write(bytes, writtenBytes).catch((error) => {
        throw failure(path, error)
      })
      writtenBytes += result.bytesWritten
    }
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
