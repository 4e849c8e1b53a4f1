// Reads the file of the cluster key: 32 random bytes as 64 hex digits, made by the first node to
// start.
import { readFileSync } from 'node:fs'
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
