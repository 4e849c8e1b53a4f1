// Requests that lie, stop, are cut off or are no HTTP at all, and uploads while a node is down:
// each gets a clear answer, leaves nothing behind, and the gateway goes on.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { BASIC, BOUNDARY, basic, call, FORM_TYPE, PASSWORD, raw, USER } from './client.ts'

const STALL_MS = 500

let cluster: TestCluster
let url: string

before(async () => {
  const dfcConf = `limits.stall_timeout_ms = ${STALL_MS}`
  cluster = await startCluster({ gateways: 1, dfcConf })
  await cluster.addUser(USER, PASSWORD)
  url = cluster.urls[0]!
})

after(() => cluster[Symbol.asyncDispose]())

const head = (line: string, ...fields: string[]) =>
  [line, 'Host: test', `Authorization: ${BASIC}`, ...fields, '', ''].join('\r\n')

async function assertNothing(name: string): Promise<void> {
  assert.equal((await call(`${url}/files/${name}`)).status, 404, `${name} is there`)
}

test('nobody gets past the doors of users without a name and password', async () => {
  for (const path of ['/files', '/files/a', '/nodes', '/events', '/delete?name=a']) {
    const answer = await call(`${url}${path}`, { authorization: null })
    assert.deepEqual([answer.status, answer.json.code], [401, 'AUTH_REQUIRED'], path)
    assert.equal(answer.headers['www-authenticate'], 'Basic realm="Fourfold", charset="UTF-8"')
  }
  for (const path of ['/healthz', '/readyz', '/openapi.json']) {
    assert.equal((await call(`${url}${path}`, { authorization: null })).status, 200, path)
  }
})

test('a wrong password and an unknown user are answered alike', async () => {
  const wrong = await call(`${url}/files`, { authorization: basic(USER, 'wrong') })
  const unknown = await call(`${url}/files`, { authorization: basic('nobody', PASSWORD) })
  const strange = await call(`${url}/files`, { authorization: basic('no such name!', PASSWORD) })
  assert.equal(wrong.status, 401)
  assert.equal(wrong.json.code, 'AUTH_FAILED')
  assert.equal(unknown.text, wrong.text)
  assert.equal(strange.text, wrong.text)
  const exact = await call(`${url}/files`, { authorization: basic('ALICE', `${PASSWORD} `) })
  assert.equal(exact.status, 401)
  assert.equal(
    (await call(`${url}/files`, { authorization: basic('ALICE', PASSWORD) })).status,
    200,
  )
})

test('a browser is not asked for Basic credentials in a window of its own', async () => {
  for (const headers of [
    { accept: 'text/html' },
    { 'sec-fetch-mode': 'cors' },
    { 'user-agent': 'Mozilla/5.0' },
  ] as Record<string, string>[]) {
    const answer = await call(`${url}/files/a`, { headers, authorization: null })
    assert.equal(answer.status, 401)
    assert.doesNotMatch(answer.headers['www-authenticate']!, /basic/i)
  }
})

test('credentials that are no Basic credentials are a bad request', async () => {
  const answer = await call(`${url}/files`, { authorization: 'Basic %%%' })
  assert.deepEqual([answer.status, answer.json.code], [400, 'BAD_REQUEST'])
})

test('unknown paths are 404; known ones with another method 405 with Allow', async () => {
  const nowhere = await call(`${url}/nowhere?x=1`)
  assert.deepEqual([nowhere.status, nowhere.json.code], [404, 'NOT_FOUND'])
  assert.match(nowhere.headers['content-type']!, /^application\/problem\+json/)
  for (const [method, path, allow] of [
    ['DELETE', '/nodes', 'GET, HEAD'],
    ['POST', '/files/a', 'DELETE, GET, HEAD, PATCH, PUT'],
    ['PUT', '/files', 'GET, HEAD, POST'],
    ['POST', '/', 'GET, HEAD'],
    ['GET', '/session', 'DELETE, POST'],
    ['OPTIONS', '/files', 'GET, HEAD, POST'],
  ] as const) {
    const answer = await call(`${url}${path}`, { method })
    assert.deepEqual([answer.status, answer.json?.code], [405, 'METHOD_NOT_ALLOWED'], path)
    assert.equal(answer.headers.allow, allow)
  }
})

test('bytes that are no HTTP get a problem document and the connection ends', async () => {
  for (const bytes of [
    'hello\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET /${'\0'} HTTP/1.1\r\n\r\n`,
    '\x16\x03\x01\x02\x00',
  ]) {
    const answer = await raw(url, [bytes])
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
    assert.match(answer, /"code":"BAD_REQUEST"/)
  }
  const long = await raw(url, [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`])
  assert.match(long, /^HTTP\/1\.1 431 .*"code":"TOO_LARGE"/s)
})

test('a body that is shorter than its Content-Length leaves nothing', async () => {
  const request = head('PUT /files/short HTTP/1.1', 'Content-Length: 10')
  const answer = await raw(url, [`${request}12345`, 'half-close'])
  assert.match(answer, /^HTTP\/1\.1 400 .*"code":"LENGTH_MISMATCH"/s)
  await assertNothing('short')
  const cut = await raw(url, [
    head('PUT /files/cut HTTP/1.1', 'Transfer-Encoding: chunked'),
    '5\r\n12',
    'half-close',
  ])
  assert.match(cut, /^HTTP\/1\.1 400 /)
  await assertNothing('cut')
})

test('a body that is longer than its Content-Length is cut there, and the rest is no request', async () => {
  const request = head('PUT /files/long HTTP/1.1', 'Content-Length: 3')
  const answer = await raw(url, [`${request}123456\r\n\r\n`])
  assert.match(answer, /^HTTP\/1\.1 201 /)
  assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1)
  assert.equal((await call(`${url}/files/long`)).text, '123')
})

test('a Content-Length beyond any file, a negative one, and two that differ are refused', async () => {
  for (const fields of [
    ['Content-Length: 99999999999999999999'],
    ['Content-Length: -1'],
    ['Content-Length: 1', 'Content-Length: 2'],
    ['Content-Length: 1', 'Transfer-Encoding: chunked'],
  ]) {
    const answer = await raw(url, [
      head('PUT /files/lie HTTP/1.1', ...fields, 'Connection: close'),
      'xy',
      'half-close',
    ])
    assert.match(answer, /^HTTP\/1\.1 4\d\d /, fields.join())
    await assertNothing('lie')
  }
})

test('a body that stands still is given up after the stall time', async () => {
  const request = head('PUT /files/still HTTP/1.1', 'Content-Length: 10')
  const startMs = performance.now()
  const answer = await raw(url, [`${request}12345`])
  assert.match(answer, /^HTTP\/1\.1 408 .*"code":"IDLE_TIMEOUT"/s)
  assert.ok(performance.now() - startMs >= STALL_MS)
  await assertNothing('still')
})

test('a form that stands still is given up, in a file and between files', async () => {
  const type = `Content-Type: ${FORM_TYPE}`
  const request = head('POST /files HTTP/1.1', 'Content-Length: 1000', type)
  const part = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="stall"\r\n\r\nhalf`
  for (const body of [part, `--${BOUNDARY}\r\nContent-Dis`]) {
    const answer = await raw(url, [request + body])
    assert.match(answer, /^HTTP\/1\.1 408 .*"code":"IDLE_TIMEOUT"/s)
  }
  await assertNothing('stall')
})

test('a client that goes away in the middle of an upload leaves nothing, and the gateway goes on', async () => {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.write(head('PUT /files/away HTTP/1.1', 'Content-Length: 9000000'))
  socket.write(Buffer.alloc(3_000_000), () => socket.destroy())
  await once(socket, 'close')
  await assertNothing('away')
  assert.equal((await call(`${url}/healthz`)).status, 200)
})

test('an upload without credentials is refused before a byte of its body is sent', async () => {
  const request = [
    'PUT /files/x HTTP/1.1',
    'Host: test',
    'Expect: 100-continue',
    'Content-Length: 5',
    '',
    '',
  ].join('\r\n')
  const answer = await raw(url, [request])
  assert.match(answer, /^HTTP\/1\.1 401 /)
  assert.doesNotMatch(answer, /100 Continue/)
})

test('an upload that expects 100-continue is told to go on, and stored', async () => {
  const fields = ['Expect: 100-continue', 'Content-Length: 5', 'Connection: close']
  const answer = await raw(url, [
    head('PUT /files/go HTTP/1.1', ...fields),
    /100 Continue/,
    'hello',
  ])
  assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
})

test('a refused upload whose body is under way gets its answer, not a reset', async () => {
  const body = Buffer.alloc(8 * 1_048_576)
  const fields = [`Content-Length: ${body.length}`, `Authorization: ${basic(USER, 'wrong')}`]
  const request = ['PUT /files/x HTTP/1.1', 'Host: test', ...fields, '', ''].join('\r\n')
  const answer = await raw(url, [request, body])
  assert.match(answer, /^HTTP\/1\.1 401 .*"code":"AUTH_FAILED"/s)
})

test('a reader that takes nothing is cut off after the stall time, and never gets a whole answer', async () => {
  const body = Buffer.alloc(24 * 1_048_576)
  assert.equal((await call(`${url}/files/large`, { method: 'PUT', body })).status, 201)
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  socket.write(head('GET /files/large HTTP/1.1'))
  await once(socket, 'readable')
  // Longer than the stall time, with nothing read: what comes then ends early.
  await new Promise((resolve) => setTimeout(resolve, 4 * STALL_MS))
  let receivedBytes = 0
  socket.on('data', (bytes) => {
    receivedBytes += bytes.length
  })
  await once(socket, 'close')
  assert.ok(receivedBytes > 0 && receivedBytes < body.length, `${receivedBytes} bytes came`)
})

test('while a node is down uploads are refused by name before the body, downloads go on', async () => {
  await call(`${url}/files/kept`, { method: 'PUT', body: 'kept' })
  const seen = await cluster.store()
  await cluster.nodes[2]!.kill()
  await cluster.whenUp(seen, [1, 2, 4])
  // The gateway has its own links: it is asked until it has seen it too.
  while ((await call(`${url}/readyz`)).json.uploads) await new Promise(setImmediate)
  const expecting = head('PUT /files/x HTTP/1.1', 'Expect: 100-continue', 'Content-Length: 5')
  const answer = await raw(url, [expecting])
  assert.match(answer, /^HTTP\/1\.1 503 /)
  assert.match(answer, /retry-after: \d/i)
  assert.match(answer, /"code":"NODES_UNAVAILABLE".*"nodes":\["DFS3"\]/)
  assert.doesNotMatch(answer, /100 Continue/)
  const body = Buffer.alloc(4 * 1_048_576)
  const form = head(
    'POST /files HTTP/1.1',
    `Content-Type: ${FORM_TYPE}`,
    `Content-Length: ${body.length}`,
  )
  assert.match(await raw(url, [form, body]), /^HTTP\/1\.1 503 .*NODES_UNAVAILABLE/s)
  assert.equal((await call(`${url}/files/kept`)).text, 'kept')
  await cluster.nodes[3]!.kill()
  let unready = await call(`${url}/readyz`)
  while (unready.status === 200) unready = await call(`${url}/readyz`)
  assert.deepEqual([unready.status, unready.json.code], [503, 'PARTS_UNAVAILABLE'])
  assert.deepEqual(unready.json.nodes, ['DFS3', 'DFS4'])
  for (const method of ['GET', 'HEAD'] as const) {
    const lost = await call(`${url}/files/kept`, { method })
    assert.equal(lost.status, 503)
    if (method === 'GET') assert.equal(lost.json.code, 'PARTS_UNAVAILABLE')
  }
  await Promise.all([cluster.nodes[2]!.start(), cluster.nodes[3]!.start()])
  await cluster.whenUp(seen, [1, 2, 3, 4])
  while (!(await call(`${url}/readyz`)).json.uploads) await new Promise(setImmediate)
  assert.equal((await call(`${url}/files/kept`)).text, 'kept')
})
