// What no honest client sends: other protocols, damaged and endless frames, silence. Each gets a
// clear error, and the node serves the others meanwhile.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { test } from 'node:test'
import {
  type DfsError,
  encodeFrameHead,
  encodeHeader,
  FrameKind,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
} from '@fourfold/storage-node/protocol'
import { startTestNode, type TestNode } from '../support/storage-node.ts'
import { newStoredFile } from '../support/stored-file.ts'
import { WireClient } from '../support/wire-client.ts'

test('bytes that are no frame, of another version, or damaged end the connection with a reason', async () => {
  await using server = await startTestNode()
  const good = encodeFrameHead({
    kind: FrameKind.request,
    id: 1,
    header: encodeHeader({ op: 'ping' }),
  })
  const changed = (change: (frame: Buffer) => void) => {
    const frame = Buffer.from(good)
    change(frame)
    return frame
  }
  assert.equal(await endOf(server, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'BAD_FRAME')
  assert.equal(
    await endOf(
      server,
      changed((frame) => (frame[2] = 9)),
    ),
    'PROTOCOL_VERSION',
  )
  assert.equal(
    await endOf(
      server,
      changed((frame) => (frame[3] = 9)),
    ),
    'BAD_FRAME',
  )
  assert.equal(
    await endOf(
      server,
      changed((frame) => (frame[19] = 1)),
    ),
    'BAD_FRAME',
  )
  assert.equal(
    await endOf(
      server,
      changed((frame) => (frame[30]! ^= 1)),
    ),
    'FRAME_DAMAGED',
  )
  const longHeader = changed((frame) => frame.writeUInt32BE(MAX_HEADER_BYTES + 1, 8))
  assert.equal(await endOf(server, longHeader), 'FRAME_TOO_LONG')
  const longBody = changed((frame) => frame.writeUInt32BE(MAX_BODY_BYTES + 1, 12))
  assert.equal(await endOf(server, longBody), 'FRAME_TOO_LONG')
  assert.equal(
    await endOf(
      server,
      changed((frame) => frame.writeUInt16BE(513, 16)),
    ),
    'FRAME_TOO_LONG',
  )
  const notMap = encodeFrameHead({ kind: FrameKind.request, id: 1, header: encodeHeader([1]) })
  assert.equal(await endOf(server, notMap), 'BAD_FRAME')
  const noSections = encodeFrameHead({
    kind: FrameKind.request,
    id: 1,
    header: encodeHeader({ op: 'ping' }),
    bodyLength: 5,
  })
  assert.equal(await endOf(server, noSections), 'BAD_FRAME')
  await requireAlive(server)
})

test('a frame that is cut off by the end of the connection is told so', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  client.socket.end(client.frame('ping', {}).subarray(0, 20))
  assert.equal((await client.closed)?.code, 'BAD_FRAME')
  await using other = await server.connect()
  const body = [randomBytes(1000), randomBytes(1000)]
  const { file, version, x, sealed } = newStoredFile()
  const frame = other.frame('store', { file, version, x, sealed }, { as: server.alice, body })
  other.socket.end(frame.subarray(0, -1))
  assert.equal((await other.closed)?.code, 'BAD_FRAME')
  await requireAlive(server)
})

test('a message with wrong fields is refused by name, its body skipped, and the connection lives on', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const send = (header: object, kind: FrameKind = FrameKind.request, body = Buffer.alloc(0)) => {
    const id = client.nextId()
    const answers = client.expect('ping', id)
    const bytes = encodeHeader(header)
    const head = encodeFrameHead({ kind, id, header: bytes, bodyLength: body.length })
    client.socket.write(Buffer.concat([head, body]))
    return answers.next()
  }
  const refused = { code: 'BAD_MESSAGE' }
  await assert.rejects(send({ op: 'no-such' }), refused)
  await assert.rejects(send({}), refused)
  await assert.rejects(send({ op: 'toString' }), refused)
  await assert.rejects(send({ op: 'ping', more: 1 }), refused)
  await assert.rejects(send({ op: 'salt' }), refused)
  await assert.rejects(send({ op: 'salt', user: 7 }), { code: 'BAD_MESSAGE', message: /user/ })
  await assert.rejects(send({ op: 'ping' }, FrameKind.response), refused)
  const body = randomBytes(5000)
  await assert.rejects(send({ op: 'ping', body: [[5000, 0]] }, FrameKind.request, body), refused)
  await client.request('ping', {})
})

test('connections that say nothing, or stop in the middle, are closed with a reason', async () => {
  const limits = { head_timeout_ms: 150, idle_timeout_ms: 300, stall_timeout_ms: 200 }
  await using server = await startTestNode({ limits })
  const silent = await server.connect()
  const inHead = await server.connect()
  inHead.socket.write(inHead.frame('ping', {}).subarray(0, 10))
  const inBody = await server.connect()
  const { file, version, x, sealed } = newStoredFile()
  const body = [randomBytes(1000), randomBytes(1000)]
  const store = inBody.frame('store', { file, version, x, sealed }, { as: server.alice, body })
  inBody.socket.write(store.subarray(0, -100))
  const ends = await Promise.all([silent.closed, inHead.closed, inBody.closed])
  assert.deepEqual(
    ends.map((error) => error?.code),
    ['IDLE_TIMEOUT', 'IDLE_TIMEOUT', 'IDLE_TIMEOUT'],
  )
  assert.match(ends[1]!.message, /head/)
  assert.match(ends[2]!.message, /body/)
  await requireAlive(server)
})

test('a head that trickles in byte by byte does not outlive its limit', async () => {
  const limits = { head_timeout_ms: 200 }
  await using server = await startTestNode({ limits })
  await using client = await server.connect()
  const frame = client.frame('ping', {})
  let at = 0
  const timer = setInterval(() => client.socket.write(frame.subarray(at, ++at)), 20)
  const error = await client.closed
  clearInterval(timer)
  assert.equal(error?.code, 'IDLE_TIMEOUT')
  assert.ok(at < frame.length)
})

test('connections beyond the limit are told so, and have a place again when others leave', async () => {
  await using server = await startTestNode({ limits: { connections: 3 } })
  const clients = await Promise.all([server.connect(), server.connect(), server.connect()])
  await assert.rejects(server.connect(), { code: 'TOO_MANY_CONNECTIONS' })
  await clients[0]![Symbol.asyncDispose]()
  await clients[1]!.request('ping', {})
  for (let attempt = 0; ; attempt++) {
    try {
      await using client = await server.connect()
      await client.request('ping', {})
      break
    } catch (error) {
      assert.equal((error as DfsError).code, 'TOO_MANY_CONNECTIONS')
      assert.ok(attempt < 100)
      await clients[1]!.request('ping', {})
    }
  }
  for (const client of clients) await client[Symbol.asyncDispose]()
})

test('many requests in one write, and a client that reads no answers, cost bounded memory', async () => {
  await using server = await startTestNode({ limits: { stall_timeout_ms: 500 } })
  await using client = await server.connect()
  const answers = Array.from({ length: 5000 }, () => {
    const id = client.nextId()
    return { next: client.expect('ping', id), frame: client.frame('ping', {}, { id }) }
  })
  client.socket.write(Buffer.concat(answers.map(({ frame }) => frame)))
  for (const { next } of answers) await next.next()

  const deaf = connect({ port: server.port, host: '127.0.0.1' })
  await new Promise((resolve) => deaf.once('connect', resolve))
  deaf.pause()
  const flood = Buffer.concat(
    Array.from({ length: 2000 }, (_, id) =>
      encodeFrameHead({ kind: FrameKind.request, id, header: encodeHeader({ op: 'ping' }) }),
    ),
  )
  const ended = new Promise((resolve) => {
    deaf.on('error', resolve)
    deaf.on('close', resolve)
  })
  let isOpen = true
  void ended.then(() => {
    isOpen = false
  })
  // The node stops reading, then gives up on a client that does not take its answers.
  while (isOpen) {
    await new Promise<void>((resolve) => {
      void ended.then(() => resolve())
      deaf.write(flood, () => resolve())
    })
  }
  deaf.destroy()
  await requireAlive(server)
})

/** The code of the error with which a connection ends that sends `bytes`. */
async function endOf(server: TestNode, bytes: Buffer | string): Promise<string | undefined> {
  await using client = await WireClient.connect(server.port)
  client.socket.write(bytes)
  return (await client.closed)?.code
}

async function requireAlive(server: TestNode): Promise<void> {
  await using client = await server.connect()
  await client.request('ping', {})
  await client.request('account', {}, { as: server.alice })
}
