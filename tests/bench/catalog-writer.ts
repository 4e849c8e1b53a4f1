// A worker that writes entries into one node's catalog, through the node's own tables, as fast as
// they come. The node must not run meanwhile.
import { parentPort, workerData } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { openCatalog } from '../../storage-node/catalog.ts'
import { createEntryTable, State } from '../../storage-node/entry-table.ts'
import { partsOfNode } from '../../storage-node/protocol/index.ts'

export interface WriterData {
  /** 0..3 */
  node: number
  /** The node's folder. */
  folder: string
}

export interface EntryBatch {
  user: string
  entries: { file: Uint8Array; version: Uint8Array; x: number; sealed: Uint8Array }[]
}

const { node, folder } = workerData as WriterData
const catalog = openCatalog(`${folder}/catalog.sqlite`)
const table = createEntryTable(catalog)
// What is measured is what is read; a crash here only means to begin again.
catalog.database.exec('PRAGMA synchronous = OFF')
/** A piece of one byte and its CRC-32, as a node keeps it. */
const data = Buffer.alloc(5, 1)
data.writeUInt32BE(crc32(data.subarray(0, 1)), 1)

parentPort!.on('message', async (batch: EntryBatch | 'end') => {
  if (batch === 'end') {
    catalog.close()
    parentPort!.close()
    return
  }
  await catalog.writeAlone(() => {
    for (const { file, version, x, sealed } of batch.entries) {
      const parts = partsOfNode(node, x).map((part) => {
        return { part, bytes: 1, pieceBytes: 1, checksum: 0, data }
      })
      const { user } = batch
      table.insert(
        { user, file, version, x, first: 0, rows: 1, sealed, key: null, parts },
        State.committed,
      )
    }
  })
  parentPort!.postMessage('written')
})
