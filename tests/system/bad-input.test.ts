// What people and programs get wrong, through a real gateway: credentials, names, forms, lengths,
// ranges, methods. Each gets a clear answer, and nothing of it is stored or left on the nodes.
import assert from 'node:assert/strict'
import { pbkdf2Sync } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  BASIC,
  BOUNDARY,
  basic,
  call,
  FORM_TYPE,
  formBody,
  PASSWORD,
  raw,
} from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { inParallel } from '../support/watching.ts'

const STALL_MS = 1000
const GUESSED_COUNT = 11
const ROUNDS = 4096

let cluster: TestCluster
let url: string

before(async () => {
  const dfcConf = `limits.stall_timeout_ms = ${STALL_MS}`
  cluster = await startCluster({ gateways: 1, dfcConf })
  url = cluster.urls[0]!
  const store = await cluster.store()
  await store.accounts.add({ user: 'alice', password: PASSWORD })
  const users = Array.from({ length: GUESSED_COUNT }, (_, index) => `known${index}`)
  await inParallel(users, 4, (user) => store.accounts.add({ user, password: PASSWORD }))
})

after(() => cluster[Symbol.asyncDispose]())

/** A head of a request of alice; its body may follow. */
function headOf(line: string, ...fields: string[]): string {
  const all = [line, 'Host: test', `Authorization: ${BASIC}`, 'Connection: close', ...fields]
  return `${all.join('\r\n')}\r\n\r\n`
}

function assertProblem(answer: string, status: number, code: string, what = ''): void {
  assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), what)
  assert.match(answer, /\r\ncontent-type: application\/problem\+json/i, what)
  assert.match(answer, new RegExp(`"code":"${code}"`), what)
}

/** Neither visible nor staged: the listing is as it was, and no node keeps bytes of an upload. */
async function assertNothingLeft(names: string[] = []): Promise<void> {
  const { json } = await call(`${url}/files`)
  const listed = json.files.map(({ name }: { name: string }) => name)
  assert.deepEqual(listed.sort(), [...names].sort())
  const deadlineMs = performance.now() + 10_000
  for (const { folder } of cluster.nodes) {
    while (readdirSync(join(folder, 'staging')).length > 0) {
      assert.ok(performance.now() < deadlineMs, `${folder} still has staged files`)
      await call(`${url}/healthz`)
    }
  }
}

test('a wrong password and an unknown user are one and the same, in words and time', async (t) => {
  const times: Record<string, number[]> = { known: [], unknown: [] }
  const seen = new Set<string>()
  for (let index = 0; index < GUESSED_COUNT; index++) {
    for (const kind of ['known', 'unknown']) {
      const startMs = performance.now()
      const authorization = basic(`${kind}${index}`, 'a wrong password')
      const answer = await call(`${url}/files`, { authorization })
      times[kind]!.push(performance.now() - startMs)
      const { date: _, ...headers } = answer.headers
      seen.add(JSON.stringify([answer.status, Object.entries(headers).sort(), answer.text]))
    }
  }
  assert.equal(seen.size, 1, [...seen].join('\n'))
  assert.match([...seen][0]!, /^\[401,.*AUTH_FAILED/)
  const derivationMs = Math.min(...Array.from({ length: 5 }, timeOfDerivation))
  for (const [kind, list] of Object.entries(times)) {
    const median = list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!
    t.diagnostic(`${kind} users: median ${median.toFixed(1)} ms, least ${Math.min(...list)} ms`)
    assert.ok(Math.min(...list) > derivationMs / 2, `${list}: a derivation is ${derivationMs} ms`)
  }
})

function timeOfDerivation(): number {
  const startMs = performance.now()
  pbkdf2Sync('a wrong password', 'salt', ROUNDS, 32, 'sha256')
  return performance.now() - startMs
}

test('no credentials, broken ones and those of another scheme are told apart from wrong ones', async () => {
  for (const [authorization, status, code] of [
    [null, 401, 'AUTH_REQUIRED'],
    ['Bearer abc', 401, 'AUTH_REQUIRED'],
    ['Basic', 400, 'BAD_REQUEST'],
    ['Basic %%%', 400, 'BAD_REQUEST'],
    [`Basic ${Buffer.from('no colon').toString('base64')}`, 400, 'BAD_REQUEST'],
    [basic('', ''), 401, 'AUTH_FAILED'],
    [basic('a'.repeat(300), 'x'), 401, 'AUTH_FAILED'],
    [basic('al\0ice', PASSWORD), 401, 'AUTH_FAILED'],
    [basic('alice', `${PASSWORD}\0`), 401, 'AUTH_FAILED'],
    [basic('alice', 'x'.repeat(5000)), 401, 'AUTH_FAILED'],
  ] as const) {
    const answer = await call(`${url}/files`, { authorization })
    assert.deepEqual([answer.status, answer.json.code], [status, code], `${authorization}`)
  }
})

const badNames: [what: string, path: string][] = [
  ['empty', ''],
  ['too long', 'x'.repeat(1025)],
  ['too long in UTF-8', '%C3%A9'.repeat(513)],
  ['far too long', 'x'.repeat(20_000)],
  ['a dot segment', '..'],
  ['a dot segment inside', 'a/../b'],
  ['an encoded dot segment', '%2e%2e'],
  ['a single dot', 'a/./b'],
  ['an empty segment', 'a//b'],
  ['a slash at the end', 'a/'],
  ['a slash at the start', '/a'],
  ['NUL', 'a%00b'],
  ['a control character', 'a%07b'],
  ['DEL', 'a%7f'],
  ['a C1 control', '%C2%85'],
  ['half a surrogate pair', '%ED%A0%80'],
  ['a surrogate pair as CESU-8', '%ED%A0%BD%ED%B8%80'],
  ['an overlong slash', '%C0%AF'],
  ['bytes that are no UTF-8', '%FF%FE'],
  ['UTF-8 that is cut off', '%E2%82'],
  ['a percent sign alone', '%'],
  ['a percent sign with nonsense', 'a%zz'],
]

test('a name that cannot be is refused as such by every method', async () => {
  await inParallel(badNames, 8, async ([what, path]) => {
    for (const method of ['PUT', 'GET', 'DELETE']) {
      const fields = method === 'PUT' ? ['Content-Length: 1'] : []
      const head = headOf(`${method} /files/${path} HTTP/1.1`, ...fields)
      const answer = await raw(url, [method === 'PUT' ? `${head}x` : head])
      assertProblem(answer, 400, 'NAME_INVALID', `${method}, ${what}`)
    }
  })
  await assertNothingLeft()
})

test('a name in a form is held to the same rules', async () => {
  const names = ['..', 'a/../b', '/', 'a\0b', 'a\x07b', 'x'.repeat(1025), 'a//b']
  for (const filename of names) {
    const body = formBody([{ field: 'file', filename, content: 'x' }])
    const headers = { 'content-type': FORM_TYPE }
    const answer = await call(`${url}/files`, { method: 'POST', headers, body })
    assert.equal(answer.status, 400, filename)
    assert.match(answer.json.code, /^(NAME|FORM)_INVALID$/)
  }
  const latin1 = formBody([{ field: 'file', filename: 'caf?', content: 'x' }])
  latin1[latin1.indexOf('?')] = 0xe9
  const field = `Content-Type: ${FORM_TYPE}`
  const head = headOf('POST /files HTTP/1.1', field, `Content-Length: ${latin1.length}`)
  assertProblem(await raw(url, [head, latin1]), 400, 'NAME_INVALID', 'a name that is no UTF-8')
  await assertNothingLeft()
})

test('a form that is broken anywhere is told so and leaves nothing', async () => {
  const whole = formBody([{ field: 'file', filename: 'formed', content: 'x'.repeat(500) }])
  const cutAt = (length: number) => whole.subarray(0, length)
  const wrongBoundary = `multipart/form-data; boundary=another`
  const cases: [what: string, type: string, body: Buffer][] = [
    ['no file', FORM_TYPE, formBody([{ field: 'text', content: 'x' }])],
    ['nothing at all', FORM_TYPE, Buffer.alloc(0)],
    ['only the end', FORM_TYPE, Buffer.from(`--${BOUNDARY}--\r\n`)],
    ['another boundary', wrongBoundary, whole],
    ['no boundary', 'multipart/form-data', whole],
    ['an empty boundary', 'multipart/form-data; boundary=', whole],
    ['cut in the boundary', FORM_TYPE, cutAt(5)],
    ['cut in the part head', FORM_TYPE, cutAt(60)],
    ['cut in the content', FORM_TYPE, cutAt(300)],
    ['without its end', FORM_TYPE, cutAt(whole.length - 4 - BOUNDARY.length - 4)],
    ['a part without a head', FORM_TYPE, Buffer.from(`--${BOUNDARY}\r\n\r\nx\r\n--${BOUNDARY}--`)],
    ['noise', FORM_TYPE, seededBytes('noise', 5000)],
  ]
  for (const [what, type, body] of cases) {
    const headers = { 'content-type': type }
    const answer = await call(`${url}/files`, { method: 'POST', headers, body })
    assert.deepEqual([answer.status, answer.json.code], [400, 'FORM_INVALID'], what)
  }
  const field = `Content-Type: ${FORM_TYPE}`
  const lied = headOf('POST /files HTTP/1.1', field, `Content-Length: ${whole.length + 100}`)
  const answer = await raw(url, [lied, cutAt(300), 'half-close'])
  assertProblem(answer, 400, 'LENGTH_MISMATCH')
  await assertNothingLeft()
})

test('a Content-Length that lies leaves nothing, whichever way it lies', async () => {
  for (const sizeBytes of [100, 3 * ROW]) {
    const bytes = seededBytes('lie', sizeBytes)
    const head = headOf('PUT /files/lie HTTP/1.1', `Content-Length: ${sizeBytes + 7}`)
    assertProblem(await raw(url, [head, bytes, 'half-close']), 400, 'LENGTH_MISMATCH')
    await hangUp(head, bytes)
    assertProblem(await raw(url, [head, bytes]), 408, 'IDLE_TIMEOUT', 'the rest never comes')
    await hangUp(headOf('PUT /files/lie HTTP/1.1', 'Transfer-Encoding: chunked'), bytes)
  }
  await assertNothingLeft()
  const head = headOf('PUT /files/cut HTTP/1.1', 'Content-Length: 5')
  assert.match(await raw(url, [`${head}12345678`]), /^HTTP\/1\.1 201 /)
  assert.equal((await call(`${url}/files/cut`)).text, '12345')
  await call(`${url}/files/cut`, { method: 'DELETE' })
})

test('a client that goes away while it waits for a listing is no news', async () => {
  for (let index = 0; index < 20; index++) await hangUp(headOf('GET /files HTTP/1.1'))
  assert.equal((await call(`${url}/files`)).status, 200)
})

/** Sends and goes away without waiting for an answer. */
async function hangUp(...parts: (string | Buffer)[]): Promise<void> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  for (const part of parts) socket.write(part)
  await new Promise<void>((resolve) => {
    socket.write('', () => socket.resetAndDestroy())
    socket.once('close', () => resolve())
  })
}

test('a body in a coding that nobody would undo is refused', async () => {
  const coded = headOf('PUT /files/coded HTTP/1.1', 'Transfer-Encoding: gzip, chunked')
  const answer = await raw(url, [`${coded}5\r\nhello\r\n0\r\n\r\n`])
  assertProblem(answer, 501, 'BAD_REQUEST')
  await assertNothingLeft()
})

test('a target that is a whole address names the same file', async () => {
  const head = headOf(`PUT ${url}/files/whole%20address HTTP/1.1`, 'Content-Length: 1')
  assert.match(await raw(url, [`${head}x`]), /^HTTP\/1\.1 201 /)
  assert.equal((await call(`${url}/files/whole%20address`)).text, 'x')
  await call(`${url}/files/whole%20address`, { method: 'DELETE' })
})

test('a Content-MD5 that is malformed or of other bytes is refused and leaves nothing', async () => {
  for (const size of [10, 2 * ROW + 1]) {
    const body = seededBytes('digest', size)
    const put = (md5: string) =>
      call(`${url}/files/digest`, { method: 'PUT', body, headers: { 'content-md5': md5 } })
    const right = Buffer.from(md5Hex(body), 'hex').toString('base64')
    for (const md5 of ['x', md5Hex(body), right.slice(0, -1), `${right}=`, `${right} ${right}`]) {
      const answer = await put(md5)
      assert.deepEqual([answer.status, answer.json.code], [400, 'BAD_REQUEST'], md5)
    }
    const other = await put(Buffer.alloc(16).toString('base64'))
    assert.deepEqual([other.status, other.json.code], [422, 'DIGEST_MISMATCH'])
    await assertNothingLeft()
    assert.equal((await put(right)).status, 201)
    await call(`${url}/files/digest`, { method: 'DELETE' })
  }
})

test('ranges that are negative, absurd, many or beyond the file are answered as RFC 9110 says', async () => {
  const bytes = seededBytes('ranged', 2 * ROW + 10)
  await call(`${url}/files/ranged`, { method: 'PUT', body: bytes })
  const size = bytes.length
  for (const [range, status, from = 0, to = size - 1] of [
    ['bytes=0-0', 206, 0, 0],
    [`bytes=${ROW - 1}-${ROW}`, 206, ROW - 1, ROW],
    ['bytes=-5', 206, size - 5],
    ['bytes=-99999999999999999999', 206],
    ['bytes=5-99999999999999999999', 206, 5],
    ['bytes=-0', 416],
    [`bytes=${size}-`, 416],
    [`bytes=99999999999999999999-${'9'.repeat(30)}`, 416],
    ['bytes=-1-5', 200],
    ['bytes=5-1', 200],
    ['bytes=a-b', 200],
    ['bytes=', 200],
    ['bytes', 200],
    ['bytes=0x0-0x5', 200],
    ['bytes=1.5-2', 200],
    ['lines=0-5', 200],
    ['bytes=0-1,5-6', 206, 0, 6],
    [`bytes=${'0-0,'.repeat(2000)}0-0`, 200],
  ] as [string, number, number?, number?][]) {
    const answer = await call(`${url}/files/ranged`, { headers: { range } })
    assert.equal(answer.status, status, range.slice(0, 50))
    if (status === 416) {
      assert.equal(answer.headers['content-range'], `bytes */${size}`)
      assert.equal(answer.json.code, 'RANGE_NOT_SATISFIABLE')
      continue
    }
    assert.ok(answer.body.equals(bytes.subarray(from, to + 1)), range.slice(0, 50))
    const contentRange = status === 206 ? `bytes ${from}-${to}/${size}` : undefined
    assert.equal(answer.headers['content-range'], contentRange)
  }
  await call(`${url}/files/ranged`, { method: 'DELETE' })
})

test('unknown paths are 404, other methods 405 with Allow, whatever body comes along', async () => {
  for (const path of ['/nowhere', '/files2', '/file/x', '/..', '/%2e%2e/etc/passwd', '/healthz/']) {
    assertProblem(await raw(url, [headOf(`GET ${path} HTTP/1.1`)]), 404, 'NOT_FOUND', path)
  }
  const body = 'x'.repeat(100_000)
  const length = `Content-Length: ${body.length}`
  for (const [line, allow] of [
    ['POST /files/a', 'DELETE, GET, HEAD, PATCH, PUT'],
    ['PROPFIND /files/a', 'DELETE, GET, HEAD, PATCH, PUT'],
    ['PUT /files', 'GET, HEAD, POST'],
    ['POST /nodes', 'GET, HEAD'],
    ['PUT /session', 'DELETE, POST'],
    ['DELETE /healthz', 'GET, HEAD'],
  ]) {
    for (const fields of [[], [length], [length, 'Content-Type: text/plain']]) {
      const steps = fields.length > 0 ? [body] : []
      const answer = await raw(url, [headOf(`${line} HTTP/1.1`, ...fields), ...steps])
      assertProblem(answer, 405, 'METHOD_NOT_ALLOWED', line)
      assert.match(answer, new RegExp(`\r\nallow: ${allow}\r\n`, 'i'), line)
    }
  }
  const posted = headOf('POST /nowhere HTTP/1.1', length, 'Content-Type: application/json')
  assertProblem(await raw(url, [posted, body]), 404, 'NOT_FOUND')
  await assertNothingLeft()
})

test('bytes that are no HTTP, and heads that are too long, get a problem and are cut', async () => {
  const long = 'x'.repeat(40_000)
  for (const [bytes, status, code] of [
    ['hello\r\n\r\n', 400, 'BAD_REQUEST'],
    ['\0\0\0\0\0\0\0\0\r\n\r\n', 400, 'BAD_REQUEST'],
    ['BREW /files HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'BAD_REQUEST'],
    ['GET /files HTTP/9.9\r\nHost: x\r\n\r\n', 400, 'BAD_REQUEST'],
    ['GET /a b c HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'BAD_REQUEST'],
    ['GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n', 400, 'BAD_REQUEST'],
    ['GET / HTTP/1.1\r\nHost: x\r\nBad\0Name: x\r\n\r\n', 400, 'BAD_REQUEST'],
    [headOf('GET /files HTTP/1.1', 'Expect: the-unexpected'), 417, 'BAD_REQUEST'],
    [headOf('PUT /files/a HTTP/1.1', 'Content-Length: -5'), 400, 'BAD_REQUEST'],
    [headOf('PUT /files/a HTTP/1.1', 'Content-Length: 5', 'Content-Length: 6'), 400, 'BAD_REQUEST'],
    [headOf('PUT /files/a HTTP/1.1', 'Content-Length: 1e3'), 400, 'BAD_REQUEST'],
    [`GET /${long} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'TOO_LARGE'],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${long}\r\n\r\n`, 431, 'TOO_LARGE'],
    [`GET / HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(9000)}\r\n`, 431, 'TOO_LARGE'],
  ] as [string, number, string][]) {
    assertProblem(await raw(url, [bytes]), status, code, bytes.slice(0, 60))
  }
  await assertNothingLeft()
})

test('what a request makes of the query never breaks the gateway', async () => {
  for (const query of [
    'limit=0',
    'limit=-1',
    'limit=1e9',
    'limit=x',
    'limit=5&limit=6',
    'cursor=%00',
    'cursor=zzzz',
    'cursor=!',
    'prefix=a&prefix=b',
    'delimiter=%ED%A0%80',
    `search=${'%F0%9F%98%80'.repeat(2000)}`,
    '__proto__=x',
    'constructor[prototype]=x',
    '%',
    '&&&===',
  ]) {
    const answer = await call(`${url}/files?${query}`)
    assert.ok(answer.status === 200 || answer.status === 400, `${query}: ${answer.status}`)
    if (answer.status === 400) assert.equal(answer.json.code, 'BAD_REQUEST', query)
  }
})

test('after all this the gateway has logged no fault of its own', () => {
  const log = cluster.gateways[0]!.output()
  assert.doesNotMatch(log, /INTERNAL|NODES_UNAVAILABLE|gateway (error|fatal):| 500 in /)
})
