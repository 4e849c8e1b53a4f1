// `put` of a long file: an upload that the nodes keep, so that one that broke off goes on where it
// was, from this machine or another, as long as the file is the same. Nothing is noted here: the
// nodes know what is unfinished, and of which file.
import { type FileHandle, open } from 'node:fs/promises'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Identity } from '../dfs/identity.ts'
import type { KeptInfo } from '../dfs/kept-info.ts'
import type { Store, UploadResult } from '../dfs/store.ts'
import { mediaTypeOf } from './media-type.ts'
import type { Progress } from './progress.ts'
import { visibleText } from './voice.ts'

/** Shorter files are sent at once and, where that breaks off, again. */
export const KEPT_FROM_BYTES = 16 * 1_048_576
/** As large as a row, so that each is sealed from one read. */
const READ_BYTES = 1_048_576

export interface KeptPut {
  store: Store
  identity: Identity
  name: string
  path: string
  /** Of the file as it was looked at. */
  sizeBytes: number
  modifiedMs: number
  /** False: whatever was unfinished is given up. */
  mayResume: boolean
  progress: Progress
  signal: AbortSignal
  /** Told where it goes on. */
  onResume(offsetBytes: number): Promise<void>
}

/** @throws DfsError, and what reading the file meets */
export async function putKept(options: KeptPut): Promise<UploadResult> {
  const { store, identity, name, path, sizeBytes, progress, signal } = options
  await using handle = await open(path)
  const upload = await begin(options, handle)
  const { offsetBytes } = upload
  if (offsetBytes > 0) await options.onResume(offsetBytes)
  async function* source() {
    let sentBytes = offsetBytes
    for await (const bytes of read(handle, offsetBytes, sizeBytes)) {
      yield bytes
      sentBytes += bytes.length
      progress.update(sentBytes)
    }
  }
  const request = { id: upload.id, offsetBytes, source: source(), signal }
  const { result, stored } = await store.uploads.append(identity, request)
  if (result !== undefined) return result
  if (stored === undefined) {
    // Whatever has that name in the store is not this file.
    const message = `${visibleText(path)} became shorter while it was read; it is not stored.`
    throw new DfsError('LENGTH_MISMATCH', message)
  }
  return { file: await store.stat(identity, name, signal), isNew: stored.isNew }
}

/** The unfinished upload of this very file, or a new one. */
async function begin(options: KeptPut, handle: FileHandle): Promise<KeptInfo> {
  const { store, identity, name, sizeBytes, modifiedMs, mayResume } = options
  const note = `dfc ${sizeBytes} ${modifiedMs}`
  const unfinished = (await store.uploads.list(identity)).filter((upload) => {
    return upload.name === name && upload.note.startsWith('dfc ')
  })
  for (const upload of unfinished) {
    const start = read(handle, 0, upload.offsetBytes)
    const isSame = mayResume && upload.note === note
    if (isSame && (await store.uploads.begins(identity, upload.id, start))) return upload
    // The file changed since, or was put anew: what is there of it is of no use.
    await store.uploads.drop(identity, upload.id)
  }
  return store.uploads.create(identity, { name, type: mediaTypeOf(name), sizeBytes, note })
}

async function* read(handle: FileHandle, fromBytes: number, toBytes: number) {
  for (let at = fromBytes; at < toBytes; ) {
    const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, toBytes - at))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
