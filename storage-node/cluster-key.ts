// The key that four nodes and their operator share: a file with 64 hex digits. Made where it is
// missing, so that the first start needs no preparation; read where it is there.
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { removeFile, syncFolder, toDiskError, writeAll } from './durable.ts'
import { DfsError } from './protocol/index.ts'

export interface ClusterKey {
  key: Buffer
  /** Made just now: the other machines need a copy. */
  isNew: boolean
  /** Others than the owner may read the file. */
  isExposed: boolean
}

/**
 * Reads the key, or makes it. Several nodes may start at once: the first to link its file into
 * place wins.
 * @throws DfsError CONF_INVALID, DISK_FAILED
 */
export async function openClusterKey(path: string): Promise<ClusterKey> {
  try {
    const found = readKey(path)
    if (found !== undefined) return { key: found, isNew: false, isExposed: isExposed(path) }
    const isNew = await makeKey(path)
    return { key: readKey(path)!, isNew, isExposed: false }
  } catch (error) {
    throw toDiskError(error, `reading the cluster key ${path}`)
  }
}

function readKey(path: string): Buffer | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new DfsError('CONF_INVALID', `${path} must hold the cluster key as 64 hex digits.`)
  }
  return Buffer.from(text, 'hex')
}

/** Answers false where another process was faster. */
async function makeKey(path: string): Promise<boolean> {
  mkdirSync(dirname(path), { recursive: true })
  const fresh = `${path}.${randomBytes(6).toString('hex')}.new`
  const fd = openSync(fresh, 'wx', 0o600)
  try {
    writeAll(fd, Buffer.from(`${randomBytes(32).toString('hex')}\n`), 0)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  try {
    // A link fails where the name exists, and shows the whole key or nothing.
    linkSync(fresh, path)
    await syncFolder(dirname(path))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await removeFile(fresh)
  }
}

function isExposed(path: string): boolean {
  return process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0
}
