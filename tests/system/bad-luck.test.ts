// Bad luck around a running gateway: a node that freezes, clients that stand still, a gateway that
// dies in the middle of an upload. Everything ends within its limits and leaves nothing behind.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { request } from 'undici'
import { BASIC, call, raw } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes, streamed } from '../support/content.ts'
import { nodeStatus, openConnections, residentBytes, whenGatewaySees } from '../support/watching.ts'

const STALL_MS = 1500
const PING_EVERY_MS = 200
const PING_TIMEOUT_MS = 500
const DFC_CONF = `
limits.stall_timeout_ms = ${STALL_MS}
limits.ping_every_ms = ${PING_EVERY_MS}
limits.ping_timeout_ms = ${PING_TIMEOUT_MS}
limits.connect_timeout_ms = 1000
limits.bulk_connections = 1
`
/** What a loaded machine may add to any of these limits. */
const SLACK_MS = 5000
const LARGE = seededBytes('large', 24 * ROW + 5)
const READER_COUNT = 24
/** The row that it has, and what is not yet freed of those that were fetched ahead of it. */
const BYTES_PER_READER = 4 * ROW
/** Nodes look for uploads to collect once a minute. */
const COLLECTED_WITHIN_MS = 90_000

let cluster: TestCluster
let url: string
/** A cluster whose gateway dies in mid-upload while the others are tested. */
let bereft: TestCluster

before(async () => {
  cluster = await startCluster({ gateways: 1, dfcConf: DFC_CONF })
  await cluster.addUser('alice', 'correct horse')
  url = cluster.urls[0]!
  assert.equal((await call(`${url}/files/large`, { method: 'PUT', body: LARGE })).status, 201)
  assert.equal((await call(`${url}/files/small`, { method: 'PUT', body: 'small' })).status, 201)
  // 3.6 seconds.
  bereft = await startCluster({ gateways: 1, dfsConf: 'staging.age_hours = 0.001' })
  await bereft.addUser('alice', 'correct horse')
  await killInUpload()
})

after(async () => {
  await cluster[Symbol.asyncDispose]()
  await bereft[Symbol.asyncDispose]()
})

function stagedIn({ nodes }: TestCluster): string[] {
  return nodes.flatMap(({ folder }) => readdirSync(join(folder, 'staging')))
}

async function until(what: string, limitMs: number, isTrue: () => boolean | Promise<boolean>) {
  const deadlineMs = performance.now() + limitMs
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) assert.fail(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A socket to the gateway that has sent the head of a request. */
function open(address: string, line: string, ...fields: string[]): Socket {
  const { hostname, port } = new URL(address)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  const all = [line, 'Host: test', `Authorization: ${BASIC}`, ...fields]
  socket.write(`${all.join('\r\n')}\r\n\r\n`)
  return socket
}

/** Kills the gateway of `bereft` while the nodes have bytes of an upload. */
async function killInUpload(): Promise<void> {
  const line = 'PUT /files/cut HTTP/1.1'
  const socket = open(bereft.urls[0]!, line, 'Content-Length: 99999999')
  socket.write(seededBytes('cut', 8 * ROW))
  const hasBytes = async () => (await nodeStatus(bereft, 1)).pieceBytesReceived > ROW
  await until('the nodes stage the upload', 20_000, hasBytes)
  await bereft.gateways[0]!.kill('SIGKILL')
  socket.destroy()
}

async function timed<T>(work: Promise<T>): Promise<[result: T, ms: number]> {
  const startMs = performance.now()
  const result = await work
  return [result, performance.now() - startMs]
}

test('a node that freezes is marked down, and files are listed and fetched meanwhile', async (t) => {
  await cluster.nodes[2]!.kill('SIGSTOP')
  const startMs = performance.now()
  const marked = whenGatewaySees(url, [1, 2, 4]).then(() => performance.now() - startMs)
  const answers = await Promise.all([
    timed(call(`${url}/files`)),
    timed(call(`${url}/files/small`)),
    timed(call(`${url}/files/large`)),
    timed(call(`${url}/files/large?describe`)),
  ])
  const times = answers.map(([, ms]) => Math.round(ms))
  const markedMs = Math.round(await marked)
  t.diagnostic(`list, small, large, describe: ${times} ms; down after ${markedMs} ms`)
  for (const [{ status, text }] of answers) assert.equal(status, 200, text.slice(0, 500))
  assert.equal(answers[1]![0].text, 'small')
  assert.ok(answers[2]![0].body.equals(LARGE))
  const knownMs = PING_EVERY_MS + PING_TIMEOUT_MS + SLACK_MS
  assert.ok(markedMs < knownMs, `${markedMs}`)
  for (const ms of times) assert.ok(ms < knownMs + STALL_MS, `${times}`)
  const put = await call(`${url}/files/refused`, { method: 'PUT', body: 'x' })
  assert.deepEqual([put.status, put.json.nodes], [503, ['DFS3']])
  await cluster.nodes[2]!.kill('SIGCONT')
  await whenGatewaySees(url, [1, 2, 3, 4])
  assert.equal((await call(`${url}/files/after`, { method: 'PUT', body: 'x' })).status, 201)
})

test('an upload that meets a freezing node fails in time by name and leaves nothing', async () => {
  for (const body of [Buffer.from('small'), LARGE]) {
    await cluster.nodes[1]!.kill('SIGSTOP')
    const [answer, ms] = await timed(call(`${url}/files/frozen`, { method: 'PUT', body }))
    assert.ok(answer.status === 503 || answer.status === 504, answer.text)
    assert.match(answer.text, /DFS2/)
    assert.ok(ms < PING_EVERY_MS + PING_TIMEOUT_MS + STALL_MS + SLACK_MS, `${ms}`)
    await cluster.nodes[1]!.kill('SIGCONT')
    await whenGatewaySees(url, [1, 2, 3, 4])
    assert.equal((await call(`${url}/files/frozen`)).status, 404)
    assert.doesNotMatch((await call(`${url}/files`)).text, /frozen/)
  }
  await until('the nodes give up what was staged', 10_000, () => stagedIn(cluster).length === 0)
})

test('a node that freezes in the middle of a download is replaced by its twin', async (t) => {
  const headers = { authorization: BASIC }
  const { statusCode, body } = await request(`${url}/files/large`, { headers })
  assert.equal(statusCode, 200)
  const parts: Buffer[] = []
  const startMs = performance.now()
  for await (const part of body) {
    if (parts.length === 0) await cluster.nodes[0]!.kill('SIGSTOP')
    parts.push(part as Buffer)
  }
  t.diagnostic(`${Math.round(performance.now() - startMs)} ms`)
  assert.ok(Buffer.concat(parts).equals(LARGE))
  await cluster.nodes[0]!.kill('SIGCONT')
  await whenGatewaySees(url, [1, 2, 3, 4])
})

test('an upload that finds a node just dead leaves no connection and nothing staged', async () => {
  const store = await cluster.store()
  const credentials = { user: 'alice', password: 'correct horse', address: 'test' }
  const alice = await store.signIn(credentials)
  const connectionCounts = async () => {
    const all = await Promise.all([1, 2, 4].map((number) => nodeStatus(cluster, number)))
    return all.map(({ connections }) => connections)
  }
  // A node that was frozen a moment ago has lost its peers' connections; they come back first.
  const arePeersBack = async () => {
    const all = await Promise.all([1, 2, 3, 4].map((number) => nodeStatus(cluster, number)))
    return all.every(({ repair }) => repair.peers === 3)
  }
  await until('the nodes hear each other', 20_000, arePeersBack)
  const before = await connectionCounts()
  for (let tries = 0; tries < 4; tries++) {
    // Not awaited: the client is to find out by itself, at some point of the upload.
    process.kill(cluster.nodes[2]!.process.child.pid!, 'SIGKILL')
    const upload = store.upload(alice, { name: 'dead', source: streamed(LARGE) })
    await assert.rejects(upload, /DFS3/)
    await cluster.nodes[2]!.kill()
    await cluster.nodes[2]!.start()
    await cluster.whenUp(store, [1, 2, 3, 4])
  }
  await assert.rejects(store.stat(alice, 'dead'), { code: 'FILE_NOT_FOUND' })
  await until('the nodes give up what was staged', 10_000, () => stagedIn(cluster).length === 0)
  const areBack = async () => (await connectionCounts()).every((count, at) => count <= before[at]!)
  await until('connections are closed', 10_000, areBack)
  await store.close()
  await whenGatewaySees(url, [1, 2, 3, 4])
})

test('a body that comes too slowly is cut by the stall limit and leaves nothing', async () => {
  for (const sentBytes of [5, 5 * ROW]) {
    const socket = open(url, 'PUT /files/slow HTTP/1.1', 'Content-Length: 99999999')
    socket.write(seededBytes('slow', sentBytes))
    const timer = setInterval(() => socket.write('.'), STALL_MS * 1.5)
    let answer = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text
    })
    const [, ms] = await timed(new Promise((resolve) => socket.once('close', resolve)))
    clearInterval(timer)
    assert.match(answer, /^HTTP\/1\.1 408 .*"code":"IDLE_TIMEOUT"/s)
    assert.ok(ms >= STALL_MS && ms < STALL_MS + SLACK_MS, `${ms}`)
    assert.equal((await call(`${url}/files/slow`)).status, 404)
  }
  await until('the nodes give up what was staged', 10_000, () => stagedIn(cluster).length === 0)
})

test('a body that is slow but moves is stored', async () => {
  const socket = open(url, 'PUT /files/steady HTTP/1.1', 'Content-Length: 8', 'Connection: close')
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text
  })
  let count = 0
  const timer = setInterval(() => {
    socket.write(String(count++))
    if (count === 8) clearInterval(timer)
  }, STALL_MS / 4)
  await new Promise((resolve) => socket.once('close', resolve))
  assert.match(answer, /^HTTP\/1\.1 201 /)
  assert.equal((await call(`${url}/files/steady`)).text, '01234567')
})

test('readers that stop reading cost little memory, block nobody, and are cut off', async (t) => {
  const pid = cluster.gateways[0]!.child.pid!
  const sentByNodes = async () => {
    const all = await Promise.all([1, 2, 3, 4].map((number) => nodeStatus(cluster, number)))
    return all.reduce((sum, status) => sum + status.pieceBytesSent, 0)
  }
  const beforeBytes = residentBytes(pid)
  const readers = Array.from({ length: READER_COUNT }, () => {
    const socket = open(url, 'GET /files/large HTTP/1.1', 'Connection: close')
    socket.pause()
    return socket
  })
  let sent = -1
  await until('the nodes send no more', 20_000, async () => {
    const before = sent
    await new Promise((resolve) => setTimeout(resolve, 300))
    sent = await sentByNodes()
    return sent === before
  })
  const grownBytes = residentBytes(pid) - beforeBytes
  t.diagnostic(`${READER_COUNT} idle readers: ${grownBytes >> 20} MiB more`)
  assert.ok(grownBytes < READER_COUNT * BYTES_PER_READER, `${grownBytes}`)
  const [answer, ms] = await timed(call(`${url}/files/large`))
  assert.equal(answer.status, 200, answer.text.slice(0, 500))
  assert.equal(md5Hex(answer.body), md5Hex(LARGE))
  t.diagnostic(`another reader meanwhile: ${Math.round(ms)} ms`)
  const areGone = () => openConnections(Number(new URL(url).port), readers) === 0
  await until('the gateway gives them up', 2 * STALL_MS + SLACK_MS, areGone)
  const received = await Promise.all(readers.map(receivedBytes))
  for (const bytes of received) assert.ok(bytes < LARGE.length, `${received}`)
})

/** All that a socket still has, until it is closed. */
function receivedBytes(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    let count = 0
    socket.on('data', (bytes: Buffer) => {
      count += bytes.length
    })
    socket.once('close', () => resolve(count))
    socket.resume()
  })
}

test('clients that connect and say nothing, or half a head, keep nobody out', async () => {
  const { hostname, port } = new URL(url)
  const silent = Array.from({ length: 200 }, (_, index) => {
    const socket = connect({ host: hostname, port: Number(port) })
    socket.on('error', () => {})
    if (index % 2 === 0) socket.write('GET /files HTTP/1.1\r\nHos')
    return socket
  })
  assert.equal((await call(`${url}/files/small`)).text, 'small')
  assert.match(await raw(url, ['GET /healthz HTTP/1.0\r\n\r\n']), /"ok"/)
  for (const socket of silent) socket.destroy()
})

test('an upload whose gateway was killed is not there, and the nodes collect what they staged', {
  timeout: COLLECTED_WITHIN_MS + 30_000,
}, async () => {
  const address = await bereft.startGateway()
  assert.equal((await call(`${address}/files/cut`)).status, 404)
  assert.deepEqual((await call(`${address}/files`)).json.files, [])
  await until('collected', COLLECTED_WITHIN_MS, () => stagedIn(bereft).length === 0)
  const again = await call(`${address}/files/cut`, { method: 'PUT', body: 'again' })
  assert.equal(again.status, 201)
  assert.equal((await call(`${address}/files/cut`)).text, 'again')
})
