// What we promise of /uploads beside the specification of tus: whose uploads they are, conditions,
// digests, what the end tells, and what becomes of bytes when connections break or race.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { ROW } from '../../support/content.ts'
import { basic, call, PASSWORD, raw, USER } from './client.ts'
import { BODY, md5, meta, tusClient } from './tus-client.ts'

let cluster: TestCluster
let url: string
const { tus, open, patch, head, get } = tusClient(() => url)

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser(USER, PASSWORD)
  await cluster.addUser('bob', PASSWORD)
  url = cluster.urls[0]!
})

after(() => cluster[Symbol.asyncDispose]())

test('nobody sees, adds to or ends the uploads of another user, nor does anything unsigned', async () => {
  const at = await open('private.bin', 5)
  for (const [authorization, status] of [
    [basic('bob', PASSWORD), 404],
    [null, 401],
  ] as const) {
    const headers = { 'content-type': BODY, 'upload-offset': '0' }
    const answers = [
      await tus(at, { method: 'HEAD', authorization }),
      await tus(at, { method: 'PATCH', authorization, headers, body: Buffer.from('hello') }),
      await tus(at, { method: 'DELETE', authorization }),
    ]
    for (const answer of answers) assert.equal(answer.status, status)
  }
  assert.equal((await head(at)).headers['upload-offset'], '0')
  const list = await call(`${url}/uploads`, { authorization: basic('bob', PASSWORD) })
  assert.deepEqual(list.json, { uploads: [] })
})

test('the list of unfinished uploads has names, sizes and offsets', async () => {
  const at = await open('listed.bin', 50, {
    'upload-metadata': meta({ filename: 'listed.bin', lastModified: '1700000000000' }),
  })
  await patch(at, 0, Buffer.from('abc'))
  const { json } = await call(`${url}/uploads`)
  const found = json.uploads.find(({ location }: { location: string }) => location === at)
  const { expires, ...rest } = found
  assert.ok(Date.parse(expires) > Date.now())
  const modified = new Date(1_700_000_000_000).toISOString()
  assert.deepEqual(rest, { location: at, name: 'listed.bin', size: 50, offset: 3, modified })
})

test('the last answer and HEAD tell the file, its entity tag and its time', async () => {
  const at = await open('x/told ü.txt', 5, {
    'upload-metadata': meta({ filename: 'x/told ü.txt', lastModified: '1700000000000' }),
  })
  const last = await patch(at, 0, Buffer.from('hello'))
  const seen = await head(at)
  for (const { headers } of [last, seen]) {
    assert.equal(headers.etag, `"${md5(Buffer.from('hello'))}"`)
    assert.equal(headers['content-location'], '/files/x/told%20%C3%BC.txt')
    assert.equal(headers['upload-result'], 'created')
    assert.equal(headers['upload-offset'], '5')
  }
  const file = await get('x/told%20%C3%BC.txt')
  assert.equal(file.headers['last-modified'], new Date(1_700_000_000_000).toUTCString())
  const again = await patch(at, 5, Buffer.alloc(0))
  assert.equal(again.status, 204)
})

test('an announced MD5 that is wrong is refused at the end, and nothing becomes visible', async () => {
  for (const bytes of [Buffer.from('hello'), randomBytes(ROW + 1)]) {
    const name = `promised-${bytes.length}`
    const wrong = meta({ filename: name, md5: md5(Buffer.from('other')) })
    const at = await open(name, bytes.length, { 'upload-metadata': wrong })
    const answer = await patch(at, 0, bytes)
    assert.equal(answer.status, 422)
    assert.equal(answer.json.code, 'DIGEST_MISMATCH')
    assert.equal((await get(name)).status, 404)
    assert.equal((await head(at)).status, 404)
    const right = meta({ filename: name, md5: md5(bytes) })
    const next = await open(name, bytes.length, { 'upload-metadata': right })
    assert.equal((await patch(next, 0, bytes)).status, 204)
  }
})

test('a condition holds when the upload is opened and when it becomes the file', async () => {
  const create = (name: string, headers: Record<string, string>) =>
    tus('/uploads', {
      method: 'POST',
      headers: { 'upload-length': '3', 'upload-metadata': meta({ filename: name }), ...headers },
    })
  const at = await open('once.txt', 3, { 'if-none-match': '*' })
  const late = await open('once.txt', 3, { 'if-none-match': '*' })
  assert.equal((await patch(at, 0, Buffer.from('one'))).status, 204)
  assert.equal((await create('once.txt', { 'if-none-match': '*' })).status, 412)
  const refused = await patch(late, 0, Buffer.from('two'))
  assert.equal(refused.status, 412)
  assert.equal((await get('once.txt')).text, 'one')
  const tag = `"${md5(Buffer.from('one'))}"`
  assert.equal(
    (await create('once.txt', { 'if-match': '"00000000000000000000000000000000"' })).status,
    412,
  )
  const swap = await open('once.txt', 3, { 'if-match': tag })
  const answer = await patch(swap, 0, Buffer.from('two'))
  assert.equal(answer.headers['upload-result'], 'replaced')
  assert.equal((await get('once.txt')).text, 'two')
})

test('more bytes than the file is to have are refused, and those before stay', async () => {
  const at = await open('over.bin', 5)
  assert.equal((await patch(at, 0, Buffer.from('abc'))).status, 204)
  const answer = await patch(at, 3, Buffer.from('defg'))
  assert.equal(answer.status, 400)
  assert.equal((await head(at)).headers['upload-offset'], '3')
  assert.equal((await patch(at, 3, Buffer.from('de'))).status, 204)
  // The file is stored now: bytes that are taken for added and are not would be lost.
  const late = await patch(at, 5, Buffer.from('fg'))
  assert.deepEqual([late.status, late.json.code], [400, 'LENGTH_MISMATCH'])
  assert.equal((await patch(at, 5, Buffer.alloc(0))).status, 204)
  assert.equal((await get('over.bin')).text, 'abcde')
})

test('what arrived before a connection broke is kept, and is not sent again', async () => {
  const bytes = randomBytes(2 * ROW + 300)
  const at = await open('broken.bin', bytes.length)
  const lines = ['PATCH', at, 'HTTP/1.1']
  const fields = [
    lines.join(' '),
    `Host: ${new URL(url).host}`,
    `Authorization: ${basic(USER, PASSWORD)}`,
    'Tus-Resumable: 1.0.0',
    `Content-Type: ${BODY}`,
    'Upload-Offset: 0',
    `Content-Length: ${bytes.length}`,
  ]
  const sentBytes = ROW + 1234
  await raw(url, [`${fields.join('\r\n')}\r\n\r\n`, bytes.subarray(0, sentBytes), 'half-close'])
  const { headers } = await head(at)
  assert.equal(headers['upload-offset'], String(sentBytes))
  assert.equal((await patch(at, sentBytes, bytes.subarray(sentBytes))).status, 204)
  assert.ok((await get('broken.bin')).body.equals(bytes))
})

test('of parallel requests at one offset no byte is doubled or lost', async () => {
  const bytes = randomBytes(3 * ROW)
  const at = await open('parallel.bin', bytes.length)
  for (let offset = 0; offset < bytes.length; ) {
    const part = bytes.subarray(offset, offset + ROW + 7)
    const answers = await Promise.all([1, 2, 3, 4].map(() => patch(at, offset, part)))
    for (const { status } of answers) assert.ok([204, 409, 423].includes(status), String(status))
    assert.ok(
      answers.filter(({ status }) => status === 204).length <= 1 ||
        offset + part.length === bytes.length,
    )
    offset = Number((await head(at)).headers['upload-offset'])
  }
  assert.ok((await get('parallel.bin')).body.equals(bytes))
})
