// Promise 3: an upload that cannot be is refused before its body is sent, with the reason and the
// names of the nodes, to clients that ask first (Expect: 100-continue) and to those that do not.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { BASIC, basic, call, FORM_TYPE, raw } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { ROW, seededBytes } from '../support/content.ts'
import { run } from '../support/run.ts'
import { nodeStatus, whenGatewaySees } from '../support/watching.ts'

/** More than the gateway reads of a body that it refused. */
const LARGE_BYTES = 48 * ROW

let cluster: TestCluster
let url: string
let largeFile: string

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser('alice', 'correct horse')
  url = cluster.urls[0]!
  largeFile = join(cluster.folder, 'large')
  await writeFile(largeFile, seededBytes('large', LARGE_BYTES))
})

after(() => cluster[Symbol.asyncDispose]())

interface Expecting {
  authorization?: string | null
  fields?: string[]
}

/** What a client hears that announces a body and waits to be told to send it. */
function announce(line: string, { authorization = BASIC, fields = [] }: Expecting = {}) {
  const head = [
    `${line} HTTP/1.1`,
    'Host: test',
    ...(authorization === null ? [] : [`Authorization: ${authorization}`]),
    'Expect: 100-continue',
    'Content-Length: 1000',
    ...fields,
  ]
  return raw(url, [`${head.join('\r\n')}\r\n\r\n`])
}

function assertRefused(answer: string, status: number, code: string): void {
  assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
  assert.match(answer, new RegExp(`"code":"${code}"`))
  assert.doesNotMatch(answer, /100 Continue/)
}

interface CurlAnswer {
  status: number
  sentBytes: number
  body: string
}

async function curl(...args: string[]): Promise<CurlAnswer> {
  const format = '\n%{http_code} %{size_upload}'
  const all = ['-sS', '--max-time', '60', '-u', 'alice:correct horse', '-w', format, ...args]
  const { stdout, stderr } = await run('curl', all)
  const [, body, status, sent] = /^(.*)\n(\d+) (\d+)$/s.exec(stdout) ?? assert.fail(stderr)
  return { status: Number(status), sentBytes: Number(sent), body: body! }
}

/** Refuses by name, with advice when to come back. */
function assertNames(body: string, names: string[]): void {
  const problem = JSON.parse(body)
  assert.equal(problem.code, 'NODES_UNAVAILABLE')
  assert.deepEqual(problem.nodes, names)
}

test('with all nodes up the body is asked for, once, and stored', async () => {
  const head = [
    'PUT /files/asked HTTP/1.1',
    'Host: test',
    `Authorization: ${BASIC}`,
    'Expect: 100-continue',
    'Content-Length: 5',
    'Connection: close',
  ]
  const answer = await raw(url, [`${head.join('\r\n')}\r\n\r\n`, /100 Continue/, 'hello'])
  assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
  const put = await curl('-T', largeFile, '-H', 'Expect: 100-continue', `${url}/files/large`)
  assert.deepEqual([put.status, put.sentBytes], [201, LARGE_BYTES])
  const form = await curl('-F', `file=@${largeFile}`, '-H', 'Expect: 100-continue', `${url}/files`)
  assert.equal(form.status, 201)
})

for (const number of [1, 2, 3, 4]) {
  test(`with DFS${number} killed uploads are refused before the body, by name`, async () => {
    const names = [`DFS${number}`]
    const live = [1, 2, 3, 4].filter((other) => other !== number)
    await cluster.nodes[number - 1]!.kill()
    await whenGatewaySees(url, live)
    const read = () => Promise.all(live.map((node) => nodeStatus(cluster, node)))
    const before = await read()

    for (const [line, ...fields] of [
      ['PUT /files/refused'],
      ['POST /files', `Content-Type: ${FORM_TYPE}`],
    ] as [string, ...string[]][]) {
      const answer = await announce(line, { fields })
      assertRefused(answer, 503, 'NODES_UNAVAILABLE')
      assert.match(answer, new RegExp(`"nodes":\\["DFS${number}"\\]`))
      assert.match(answer, /\r\nretry-after: \d+\r\n/i)
    }

    const target = `${url}/files/refused`
    const asking = ['-H', 'Expect: 100-continue', '--expect100-timeout', '30']
    for (const args of [
      [...asking, '-T', largeFile, target],
      [...asking, '-F', `file=@${largeFile}`, `${url}/files`],
    ]) {
      const { status, sentBytes, body } = await curl(...args)
      assert.deepEqual([status, sentBytes], [503, 0])
      assertNames(body, names)
    }
    for (const args of [
      ['-H', 'Expect:', '-T', largeFile, target],
      ['-H', 'Expect:', '-H', 'Transfer-Encoding: chunked', '-T', largeFile, target],
      ['-H', 'Expect:', '-F', `file=@${largeFile}`, `${url}/files`],
    ]) {
      const { status, body } = await curl(...args)
      assert.equal(status, 503)
      assertNames(body, names)
    }
    const after = await read()
    for (const [index, status] of after.entries()) {
      assert.equal(status.pieceBytesReceived, before[index]!.pieceBytesReceived)
    }
    assert.equal((await call(target)).status, 404)
    await cluster.nodes[number - 1]!.start()
    await whenGatewaySees(url, [1, 2, 3, 4])
  })
}

test('with two nodes killed both are named', async () => {
  await Promise.all([cluster.nodes[1]!.kill(), cluster.nodes[3]!.kill()])
  await whenGatewaySees(url, [1, 3])
  const { status, sentBytes, body } = await curl('-T', largeFile, `${url}/files/refused`)
  assert.deepEqual([status, sentBytes], [503, 0])
  assertNames(body, ['DFS2', 'DFS4'])
  await Promise.all([cluster.nodes[1]!.start(), cluster.nodes[3]!.start()])
  await whenGatewaySees(url, [1, 2, 3, 4])
})

test('nobody without the right password is asked for a body', async () => {
  const form = { fields: [`Content-Type: ${FORM_TYPE}`] }
  for (const [line, options] of [
    ['PUT /files/x', {}],
    ['POST /files', form],
  ] as const) {
    const nobody = await announce(line, { ...options, authorization: null })
    assertRefused(nobody, 401, 'AUTH_REQUIRED')
    const stranger = basic('nobody', 'correct horse')
    assertRefused(await announce(line, { ...options, authorization: stranger }), 401, 'AUTH_FAILED')
  }
})

test('a name that cannot be is refused before the body', async () => {
  const names = ['', 'a//b', '..', 'a/../b', '%00', '%07', '%ff', '%', 'x'.repeat(1025)]
  const answers = await Promise.all(names.map((name) => announce(`PUT /files/${name}`)))
  for (const answer of answers) assertRefused(answer, 400, 'NAME_INVALID')
})

test('what the head already shows to be wrong is refused before the body', async () => {
  await call(`${url}/files/there`, { method: 'PUT', body: 'there' })
  const cases: [line: string, field: string, status: number, code: string][] = [
    ['PUT /files/there', 'Content-MD5: abc', 400, 'BAD_REQUEST'],
    ['PUT /files/there', 'Content-Range: bytes 0-9/10', 400, 'BAD_REQUEST'],
    ['PUT /files/there', 'Content-Encoding: gzip', 415, 'BAD_REQUEST'],
    ['PUT /files/there', 'Content-Type: nonsense', 415, 'BAD_REQUEST'],
    ['PUT /files/there', 'If-None-Match: *', 412, 'PRECONDITION_FAILED'],
    [
      'PUT /files/there',
      'If-Match: "00000000000000000000000000000000"',
      412,
      'PRECONDITION_FAILED',
    ],
    ['POST /files', 'Content-Type: text/plain', 415, 'BAD_REQUEST'],
    ['POST /files', 'Content-Type: multipart/form-data', 400, 'FORM_INVALID'],
    ['POST /nowhere', 'Content-Type: text/plain', 404, 'NOT_FOUND'],
    ['PUT /nodes', 'Content-Type: text/plain', 405, 'METHOD_NOT_ALLOWED'],
  ]
  const check = async ([line, field, status, code]: (typeof cases)[number]) =>
    assertRefused(await announce(line, { fields: [field] }), status, code)
  await Promise.all(cases.map(check))
  assert.equal((await call(`${url}/files/there`)).text, 'there')
})
