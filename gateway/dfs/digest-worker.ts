// The thread behind digest-threads.ts: one MD5 at a time, of the rows that are moved here. The
// memory of each row goes back as it came.
import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import type { DigestAnswer, DigestOrder } from './digest-threads.ts'

const port = parentPort!
let hash = createHash('md5')

port.on('message', (order: DigestOrder) => {
  if (order.kind === 'row') {
    const { memory, lengthBytes } = order
    hash.update(new Uint8Array(memory, 0, lengthBytes))
    port.postMessage({ kind: 'row', memory } satisfies DigestAnswer, [memory])
    return
  }
  if (order.kind === 'finish') {
    port.postMessage({ kind: 'md5', md5: hash.digest() } satisfies DigestAnswer)
  }
  hash = createHash('md5')
})
