// The key that encrypts session cookies: made at the gateway's first start, kept in its data
// folder. Losing it signs every browser out and loses nothing else.
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DfsError } from '@fourfold/storage-node/protocol'

const KEY_BYTES = 32
const FILE_NAME = 'session.key'
/** Readable by the user who runs the gateway, and by nobody else. */
const MODE = 0o600

/** @throws DfsError CONF_INVALID where the file is something else or cannot be made */
export async function loadSessionKey(dataFolder: string): Promise<Buffer> {
  const file = join(dataFolder, FILE_NAME)
  try {
    const key = (await readIfThere(file)) ?? (await make(file))
    if (key.length === KEY_BYTES) return key
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const message = `The session key ${file} can be neither read nor made (${code}).`
    throw new DfsError('CONF_INVALID', message, { cause })
  }
  const message = `The session key ${file} is not ${KEY_BYTES} bytes; delete it and start again.`
  throw new DfsError('CONF_INVALID', message)
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function make(file: string): Promise<Buffer> {
  const key = randomBytes(KEY_BYTES)
  await mkdir(dirname(file), { recursive: true })
  // `wx`: where two gateways start at once, the second fails instead of taking another key.
  await using handle = await open(file, 'wx', MODE)
  await handle.writeFile(key)
  await handle.sync()
  return key
}
