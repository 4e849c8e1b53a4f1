// The file of the cluster key: 32 random bytes as 64 hex digits and a newline. Knows nothing of proofs.
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DfsError, KEY_BYTES } from '@fourfold/storage-node/protocol'

/**
 * The cluster key, 32 bytes; undefined where there is no such file.
 * @throws DfsError CONF_INVALID where the file cannot be read or holds something else
 */
export function readClusterKey(file: string): Buffer | undefined {
  let text: string
  try {
    text = readFileSync(file, 'latin1').trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    const message = `The cluster key file ${file} cannot be read (${code}).`
    throw new DfsError('CONF_INVALID', message, { cause: error })
  }
  if (!/^[0-9a-fA-F]+$/.test(text) || text.length !== KEY_BYTES * 2) {
    throw new DfsError('CONF_INVALID', `The cluster key file ${file} does not hold 64 hex digits.`)
  }
  return Buffer.from(text, 'hex')
}

/** Makes a new cluster key that only this user may read, synced to disk; a key that is there stays. */
export function makeClusterKey(file: string): Buffer {
  const existing = readClusterKey(file)
  if (existing !== undefined) return existing
  const folder = dirname(file)
  mkdirSync(folder, { recursive: true })
  const key = randomBytes(KEY_BYTES)
  // `wx`: of two that start at once, one makes the key and the other fails instead of replacing it.
  const handle = openSync(file, 'wx', 0o600)
  try {
    writeFileSync(handle, `${key.toString('hex')}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  const folderHandle = openSync(folder, 'r')
  fsyncSync(folderHandle)
  closeSync(folderHandle)
  return key
}
