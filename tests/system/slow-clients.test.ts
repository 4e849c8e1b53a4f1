// Clients that are slow, on purpose or not: those that trickle less than the least are cut, in
// heads, bodies and answers; those that are slow but live are served; and a crowd of them keeps
// nobody else waiting.
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { BASIC, call, PASSWORD, USER } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { ROW, seededBytes } from '../support/content.ts'
import { runCrowd } from '../support/crowd-trial.ts'

/** Least progress in this file: this much in so long a time. */
const PROGRESS_BYTES = 2000
const WINDOW_MS = 3000
/** For readers that take nothing at all. */
const STALL_MS = 5000
/** A trickle that silence limits never meet. */
const DRIP_MS = 200
/** The gateway's own limit for heads is 20 s, looked at every two. */
const CUT_WITHIN_MS = 45_000
const LARGE_BYTES = 24 * ROW

let cluster: TestCluster
let url: string

before(async () => {
  const dfcConf = [
    `limits.progress_bytes = ${PROGRESS_BYTES}`,
    `limits.progress_window_ms = ${WINDOW_MS}`,
    `limits.stall_timeout_ms = ${STALL_MS}`,
  ].join('\n')
  cluster = await startCluster({ gateways: 1, dfcConf })
  await cluster.addUser(USER, PASSWORD)
  url = cluster.urls[0]!
  const body = seededBytes('large', LARGE_BYTES)
  assert.equal((await call(`${url}/files/large`, { method: 'PUT', body })).status, 201)
})

after(() => cluster[Symbol.asyncDispose]())

interface Slow {
  socket: Socket
  said(): string
  closed: Promise<'closed' | 'still open'>
}

/** Sends `head` and then drips `drop` until the gateway closes. */
function drip(head: string, drop: string | (() => void)): Slow {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  let text = ''
  socket.on('error', () => {})
  socket.write(head)
  const timer = setInterval(() => {
    if (typeof drop === 'function') drop()
    else socket.write(drop)
  }, DRIP_MS)
  const closed = new Promise<'closed' | 'still open'>((resolve) => {
    const limit = setTimeout(() => resolve('still open'), CUT_WITHIN_MS)
    socket.once('close', () => {
      clearTimeout(limit)
      resolve('closed')
    })
  }).finally(() => {
    clearInterval(timer)
    socket.destroy()
  })
  socket.on('data', (bytes: Buffer) => {
    text = (text + bytes.toString('latin1')).slice(0, 2000)
  })
  return { socket, said: () => text, closed }
}

const headOf = (line: string, ...fields: string[]) =>
  `${[line, 'Host: test', `Authorization: ${BASIC}`, ...fields].join('\r\n')}\r\n\r\n`

test('heads, bodies and readers that trickle are cut, and the service is there meanwhile', async () => {
  const heads = Array.from({ length: 50 }, () => drip('GET / HTTP/1.1\r\nX: ', 'x'))
  const upload = headOf('PUT /files/trickle HTTP/1.1', 'Content-Length: 1000000')
  const bodies = Array.from({ length: 20 }, () => drip(upload, 'x'))
  const form = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000'
  const signIns = Array.from({ length: 20 }, () =>
    drip(`POST /session HTTP/1.1\r\nHost: test\r\n${form}\r\n\r\n`, 'x'),
  )
  const readers = Array.from({ length: 20 }, () => {
    const reader: Slow = drip(headOf('GET /files/large HTTP/1.1'), () => {})
    reader.socket.pause()
    return reader
  })
  const small = await call(`${url}/files/small`, { method: 'PUT', body: 'small' })
  assert.equal(small.status, 201)
  for (let round = 0; round < 20; round++) {
    assert.equal((await call(`${url}/files/small`)).text, 'small')
  }
  for (const [what, crowd] of Object.entries({ bodies, signIns, heads })) {
    for (const { closed, said } of crowd) {
      assert.equal(await closed, 'closed', `${what}: ${said()}`)
      assert.match(said(), /^HTTP\/1\.1 408 .*"code":"IDLE_TIMEOUT"/s, what)
    }
  }
  for (const { socket, closed } of readers) {
    // A socket that reads nothing does not learn that it was closed.
    socket.resume()
    assert.equal(await closed, 'closed')
    assert.ok(socket.bytesRead < LARGE_BYTES)
  }
  assert.equal((await call(`${url}/files/trickle`)).status, 404)
})

test('an upload and a download that are slow but live end well', async () => {
  // Twice the least, over several windows.
  const step = Buffer.alloc((2 * PROGRESS_BYTES * DRIP_MS) / WINDOW_MS, 'x')
  const stepCount = Math.ceil((3 * WINDOW_MS) / DRIP_MS)
  let sent = 0
  const length = step.length * stepCount
  const head = headOf('PUT /files/live HTTP/1.1', `Content-Length: ${length}`, 'Connection: close')
  const sender = drip(head, () => {
    if (sent++ < stepCount) sender.socket.write(step)
  })
  assert.equal(await sender.closed, 'closed')
  assert.match(sender.said(), /^HTTP\/1\.1 201 /)
  assert.equal((await call(`${url}/files/live`)).body.length, length)
})

test('a crowd of slow transfers keeps nobody waiting, and all of it gets through', async (t) => {
  await using crowded = await startCluster({ gateways: 1 })
  const figures = await runCrowd(crowded, { clientCount: 96, userCount: 4, smallMs: 1500 })
  t.diagnostic(JSON.stringify(figures))
  // More than two for each would be rows fetched ahead for readers that do not read.
  const grownMib = figures.memoryPeakMib - figures.memoryBeforeMib
  assert.ok(grownMib < 2 * figures.clients + 100, `${grownMib} MiB for ${figures.clients}`)
})
