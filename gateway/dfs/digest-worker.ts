// The thread behind digest-threads.ts: one MD5 at a time, of the rows that are moved here.
import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import type { DigestAnswer, DigestOrder } from './digest-threads.ts'
import { giveBack } from './lease.ts'

const port = parentPort!
let hash = createHash('md5')

port.on('message', (order: DigestOrder) => {
  if (order.kind === 'row') {
    for (const slice of order.slices) {
      hash.update(slice)
      giveBack(slice)
    }
    port.postMessage({ kind: 'row' } satisfies DigestAnswer)
    return
  }
  if (order.kind === 'finish') {
    port.postMessage({ kind: 'md5', md5: hash.digest() } satisfies DigestAnswer)
  }
  hash = createHash('md5')
})
