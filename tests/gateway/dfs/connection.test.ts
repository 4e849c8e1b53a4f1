// The client's end of a connection to a node that breaks off, falls silent or sends damage in the
// middle of an answer's body: whoever waits is told, within the limit.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import {
  encodeFrameHead,
  encodeHeader,
  FrameKind,
  sectionsOf,
} from '@fourfold/storage-node/protocol'
import { NodeConnection } from '../../../gateway/dfs/connection.ts'
import { NodeLink } from '../../../gateway/dfs/node-link.ts'

const LIMIT_MS = 300
const PIECE = randomBytes(1000)
const READ = {
  op: 'read',
  fields: { file: randomBytes(16), version: randomBytes(16), part: 1, from: 0, to: 1 },
  as: { by: 'cluster', key: randomBytes(32), user: 'ann' },
  timeoutMs: LIMIT_MS,
} as const

function frame(kind: FrameKind, id: number, fields: object, body: Buffer[] = []): Buffer {
  const header = encodeHeader(body.length > 0 ? { ...fields, body: sectionsOf(body) } : fields)
  const bodyLength = body.reduce((sum, { length }) => sum + length, 0)
  return Buffer.concat([encodeFrameHead({ kind, id, header, bodyLength }), ...body])
}

/** A node that greets and then answers the first request, number 1, with `answer`. */
async function withNode(
  answer: (socket: Socket, whole: Buffer) => void,
  run: (connection: NodeConnection) => Promise<void>,
): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const greeting = { node: 1, epoch: randomBytes(16), nonce: randomBytes(32) }
    socket.write(frame(FrameKind.greeting, 0, greeting))
    const whole = frame(FrameKind.response, 1, { row: 0, more: false }, [PIECE])
    socket.once('data', () => answer(socket, whole))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    const address = { index: 0, host: '127.0.0.1', port }
    await using connection = await NodeConnection.open(address, 5000)
    await run(connection)
  } finally {
    server.close()
  }
}

const breaks: [what: string, code: string, answer: (socket: Socket, whole: Buffer) => void][] = [
  ['is closed', 'NODE_GONE', (socket, whole) => socket.end(whole.subarray(0, -500))],
  ['falls silent', 'NODE_TIMEOUT', (socket, whole) => socket.write(whole.subarray(0, -500))],
  [
    'carries damage',
    'DAMAGED',
    (socket, whole) => {
      whole[whole.length - 1]! ^= 1
      socket.write(whole)
    },
  ],
]

for (const [what, code, answer] of breaks) {
  test(`a connection that ${what} in the middle of a body fails the request`, async () => {
    await withNode(answer, async (connection) => {
      await assert.rejects(connection.request(READ), { code, node: 1 })
    })
  })

  test(`a connection that ${what} in the last body of a stream fails the stream`, async () => {
    await withNode(answer, async (connection) => {
      const sink = {
        write() {},
        end(damaged: readonly number[]) {
          if (damaged.length > 0) connection.close()
        },
      }
      const streaming = connection.stream(READ, { onFrame: () => sink })
      await assert.rejects(streaming, { code: code === 'DAMAGED' ? 'NODE_GONE' : code, node: 1 })
    })
  })
}

test('a link to a node that is hung ends at once when it is closed', {
  timeout: 20_000,
}, async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const link = new NodeLink({
    address: { index: 2, host: '127.0.0.1', port },
    // Longer than the test may take.
    ...{ connectTimeoutMs: 60_000, pingEveryMs: 1000, pingTimeoutMs: 1000 },
    ...{ idleBulkConnections: 1, onChange() {} },
  })
  const [socket] = await accepted
  const closed = once(socket.resume(), 'close')
  await link[Symbol.asyncDispose]()
  await Promise.all([closed, link.firstTry])
  server.close()
})
