// What a download that broke off left on this disk, and how the next one goes on from it. The name
// of such a file tells its target and the MD5 of what it is a part of, so that bytes of another
// version are never mixed in; the MD5 of all is checked at the end all the same. Knows no store.
import { createHash, type Hash } from 'node:crypto'
import { statSync } from 'node:fs'
import { type FileHandle, readdir, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DfsError } from '@fourfold/storage-node/protocol'

const READ_BYTES = 1_048_576
/** Of the hash of a target's name: names may be as long as the disk allows. */
const TARGET_DIGITS = 12

export interface PartPlace {
  /** Where the whole file will be. */
  path: string
  /** Of the whole file, hex digits. */
  md5: string
}

/** Where the part of a broken download of `path` lies: beside it. */
export function partPath({ path, md5 }: PartPlace): string {
  return join(dirname(path), `${prefixOf(path)}${md5}.part`)
}

/** Bytes of the file that are here already, at most `sizeBytes`. */
export function partBytes(place: PartPlace, sizeBytes: number): number {
  const stats = statSync(partPath(place), { throwIfNoEntry: false })
  return stats?.isFile() === true ? Math.min(stats.size, sizeBytes) : 0
}

/** Removes what was left of other versions for the same target. */
export async function removeOtherParts(place: PartPlace): Promise<void> {
  const prefix = prefixOf(place.path)
  const own = basename(partPath(place))
  const names = await readdir(dirname(place.path)).catch(() => [])
  for (const name of names) {
    const isOther = name.startsWith(prefix) && name.endsWith('.part') && name !== own
    if (isOther) await unlink(join(dirname(place.path), name)).catch(() => {})
  }
}

/** Hashes the start of `handle`. @throws DfsError DIGEST_MISMATCH where there is less */
export async function hashStart(handle: FileHandle, lengthBytes: number): Promise<Hash> {
  const hash = createHash('md5')
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, lengthBytes)))
  for (let at = 0; at < lengthBytes; ) {
    const wanted = Math.min(buffer.length, lengthBytes - at)
    const { bytesRead } = await handle.read(buffer, 0, wanted, at)
    if (bytesRead === 0) throw wrongContent()
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash
}

/** What arrived is not the file. */
export function wrongContent(): DfsError {
  const hint = 'Get it again; what was here of it was removed.'
  const message = 'The MD5 of what was fetched is not that of the file.'
  return new DfsError('DIGEST_MISMATCH', message, { detail: { hint } })
}

function prefixOf(path: string): string {
  const name = createHash('sha256').update(basename(path)).digest('hex')
  return `.dfc-${name.slice(0, TARGET_DIGITS)}-`
}
