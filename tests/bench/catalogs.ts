// Fills the catalogs of a stopped cluster with many files of a user, without uploading them: names,
// sizes and times as people have them, in folders; one byte of content each.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { sealDescription } from '../../gateway/dfs/description.ts'
import type { Identity } from '../../gateway/dfs/identity.ts'
import { fileIdOf } from '../../gateway/dfs/keys.ts'
import { newVersion, ROW_BYTES } from '../../storage-node/protocol/index.ts'
import type { EntryBatch, WriterData } from './catalog-writer.ts'

const BATCH_ENTRIES = 2000
/** Batches under way to each writer. */
const AHEAD = 3
const YEAR_MS = 365 * 24 * 3_600_000
const TYPES = ['image/jpeg', 'application/pdf', 'text/plain', 'video/mp4']

export interface Fill {
  identity: Identity
  fileCount: number
}

/** @param folders of the nodes DFS1 to DFS4, which must not run */
export async function fillCatalogs(folders: readonly string[], fills: Fill[]): Promise<void> {
  const writers = folders.map((folder, node) => {
    const workerData: WriterData = { node, folder }
    return new Worker(new URL('./catalog-writer.ts', import.meta.url), { workerData })
  })
  const underWay: Promise<unknown>[] = []
  for (const { identity, fileCount } of fills) {
    for (let from = 0; from < fileCount; from += BATCH_ENTRIES) {
      const to = Math.min(from + BATCH_ENTRIES, fileCount)
      const batch = batchOf(identity, from, to)
      underWay.push(
        Promise.all(
          writers.map((writer) => {
            const written = once(writer, 'message')
            writer.postMessage(batch)
            return written
          }),
        ),
      )
      if (underWay.length > AHEAD) await underWay.shift()
    }
  }
  await Promise.all(underWay)
  await Promise.all(
    writers.map((writer) => {
      const ended = once(writer, 'exit')
      writer.postMessage('end')
      return ended
    }),
  )
}

/** The name of the n-th file: three levels of folders, two hundred files in each. */
export function nameOfFile(number: number): string {
  const folder = Math.floor(number / 200)
  const year = 2000 + (folder % 25)
  return `Pictures/${year}/${String(folder).padStart(5, '0')}/IMG_${String(number).padStart(7, '0')}.jpg`
}

function batchOf(identity: Identity, from: number, to: number): EntryBatch {
  const entries: EntryBatch['entries'] = []
  for (let number = from; number < to; number++) {
    const name = nameOfFile(number)
    const md5 = createHash('md5').update(name).digest()
    const x = md5[15]! % 4
    const modified = Date.now() - ((number * 7919) % 10_000) * (YEAR_MS / 10_000)
    const file = fileIdOf(identity.nameKey, name)
    const version = newVersion(modified)
    const description = {
      ...{ name, md5, x, first: 0, rows: 1, rowBytes: ROW_BYTES, attempts: [0] },
      size: (number * 104_729) % 5_000_000,
      type: TYPES[number % TYPES.length]!,
      modified: Math.floor(modified),
      key: randomBytes(32),
    }
    const sealed = sealDescription(identity.entryKey, { file, version }, description)
    entries.push({ file, version, x, sealed })
  }
  return { user: identity.user, entries }
}
