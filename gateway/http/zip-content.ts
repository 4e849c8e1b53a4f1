// The bytes of an archive, in order, as they come from the store: each file is opened when its
// turn comes, and must still be the version that was looked at. Keeps a record of each, no bytes.

import { crc32 } from 'node:zlib'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Identity } from '../dfs/identity.ts'
import type { FileInfo, Store } from '../dfs/store.ts'
import {
  centralRecord,
  descriptor,
  endRecords,
  layOut,
  localHeader,
  type ZipEntry,
} from './zip-format.ts'

/** Records of the directory that leave in one buffer: 100 to 1200 bytes each. */
const RECORDS_AT_ONCE = 100

/** An entry whose content can be read: once, when its turn comes. */
export interface ZipSource extends ZipEntry {
  open(): Promise<AsyncIterable<Buffer>>
}

export interface Zip {
  sizeBytes: number
  /** Each buffer is valid until the next one is asked for. */
  content: AsyncGenerator<Buffer>
}

export function createZip(sources: readonly ZipSource[]): Zip {
  const layout = layOut(sources)
  return { sizeBytes: layout.sizeBytes, content: contentOf(sources, layout) }
}

async function* contentOf(
  sources: readonly ZipSource[],
  { placed, centralBytes, centralOffset }: ReturnType<typeof layOut>,
): AsyncGenerator<Buffer> {
  const crcs: number[] = []
  for (const [index, entry] of placed.entries()) {
    yield localHeader(entry)
    let crc = 0
    let seenBytes = 0
    for await (const bytes of await sources[index]!.open()) {
      crc = crc32(bytes, crc)
      seenBytes += bytes.length
      if (bytes.length > 0) yield bytes
    }
    if (seenBytes !== entry.sizeBytes) {
      throw new DfsError('LENGTH_MISMATCH', 'A file has another length than it had before.')
    }
    yield descriptor(entry, crc)
    crcs.push(crc)
  }
  for (let from = 0; from < placed.length; from += RECORDS_AT_ONCE) {
    const some = placed.slice(from, from + RECORDS_AT_ONCE)
    yield Buffer.concat(some.map((entry, index) => centralRecord(entry, crcs[from + index]!)))
  }
  yield endRecords({ count: placed.length, centralBytes, centralOffset })
}

/** A file of the store as an entry. */
export function storeSource(options: {
  store: Store
  identity: Identity
  file: FileInfo
  path: string
  signal: AbortSignal
}): ZipSource {
  const { store, identity, file, path, signal } = options
  const { name, version, sizeBytes, modifiedMs } = file
  return {
    path,
    sizeBytes,
    modifiedMs,
    async open() {
      const isSame = (found: FileInfo) => found.version === version
      const choose = (found: FileInfo) => (isSame(found) ? 'all' : 'nothing')
      const download = await store.download(identity, { name, signal, choose })
      if (isSame(download.file)) return download.content
      throw new DfsError('PRECONDITION_FAILED', 'A file was changed while it was packed.')
    },
  }
}
