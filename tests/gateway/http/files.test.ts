// Files over HTTP against a real gateway with four real nodes: what every request is answered with.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { call, FORM_TYPE, formBody, PASSWORD, USER } from './client.ts'

let cluster: TestCluster
let url: string

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser(USER, PASSWORD)
  url = cluster.urls[0]!
})

after(() => cluster[Symbol.asyncDispose]())

const md5 = (bytes: string | Buffer) => createHash('md5').update(bytes).digest('hex')
const put = (name: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  call(`${url}/files/${name}`, { method: 'PUT', body, headers })
/** A file that a test needs before it begins. */
const have = async (name: string, body: string | Buffer, headers: Record<string, string> = {}) => {
  const answer = await put(name, body, headers)
  assert.ok(answer.status === 200 || answer.status === 201, answer.text)
}
const get = (name: string, headers: Record<string, string> = {}) =>
  call(`${url}/files/${name}`, { headers })

test('a new file is answered 201 with its address, a replaced one 200, both with entity tag and JSON', async () => {
  const first = await put('put/a%20b.txt', 'one', { 'content-type': 'text/plain' })
  assert.equal(first.status, 201)
  assert.equal(first.headers.location, '/files/put/a%20b.txt')
  assert.equal(first.headers.etag, `"${md5('one')}"`)
  const { modified, ...rest } = first.json
  assert.ok(Math.abs(Date.now() - Date.parse(modified)) < 60_000)
  assert.deepEqual(rest, {
    name: 'put/a b.txt',
    size: 3,
    type: 'text/plain',
    md5: md5('one'),
    copies: 255,
    state: 'complete',
  })
  const second = await put('put/a%20b.txt', 'two!')
  assert.equal(second.status, 200)
  assert.equal(second.json.type, 'application/octet-stream')
  assert.equal((await get('put/a%20b.txt')).text, 'two!')
})

test('a body comes back byte for byte, also one of unknown length and none at all', async () => {
  const bytes = randomBytes(3 * 1_048_576 + 5)
  await have('bytes/known', bytes)
  assert.ok((await get('bytes/known')).body.equals(bytes))
  async function* parts() {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
  }
  const unknown = await call(`${url}/files/bytes/unknown`, { method: 'PUT', body: parts() })
  assert.equal(unknown.status, 201)
  assert.ok((await get('bytes/unknown')).body.equals(bytes))
  assert.equal((await call(`${url}/files/bytes/none`, { method: 'PUT' })).status, 201)
  const none = await get('bytes/none')
  assert.equal(none.status, 200)
  assert.equal(none.headers['content-length'], '0')
})

test('a body of any media type is a file, JSON and forms too', async () => {
  const types = ['application/json', 'application/x-www-form-urlencoded', FORM_TYPE, 'text/plain']
  for (const type of types) {
    const answer = await put('typed', '{"a": ', { 'content-type': type })
    assert.ok(answer.status === 200 || answer.status === 201, type)
    assert.equal(answer.json.type, type)
  }
})

test('GET and HEAD answer the same header fields, and those keep user bytes from doing harm', async () => {
  const type = 'text/html; charset=utf-8'
  await have('page.html', '<script>alert(1)</script>', { 'content-type': type })
  const got = await get('page.html')
  const head = await call(`${url}/files/page.html`, { method: 'HEAD' })
  const ignored = { date: '', connection: '', 'keep-alive': '' }
  assert.deepEqual({ ...head.headers, ...ignored }, { ...got.headers, ...ignored })
  assert.equal(head.body.length, 0)
  assert.equal(got.headers['content-length'], '25')
  assert.equal(got.headers['x-content-type-options'], 'nosniff')
  assert.equal(got.headers['content-security-policy'], "default-src 'none'; sandbox")
  assert.equal(got.headers['cross-origin-resource-policy'], 'same-origin')
  assert.equal(got.headers['cache-control'], 'private, no-cache')
  assert.match(got.headers['content-disposition']!, /^attachment; filename="?page.html"?$/)
  assert.equal(got.headers['accept-ranges'], 'bytes')
})

test('a file that may be shown is inline, and with ?download an attachment', async () => {
  await have('x.txt', 'x', { 'content-type': 'text/markdown' })
  const shown = await get('x.txt')
  assert.match(shown.headers['content-disposition']!, /^inline/)
  assert.equal(shown.headers['content-type'], 'text/plain; charset=utf-8')
  assert.match((await get('x.txt?download')).headers['content-disposition']!, /^attachment/)
})

test('one range is answered 206 with just those bytes; nonsense with the whole', async () => {
  const bytes = randomBytes(2_500_000)
  await have('ranged', bytes)
  for (const [range, from, to] of [
    ['bytes=0-0', 0, 0],
    ['bytes=1048575-1048576', 1_048_575, 1_048_576],
    ['bytes=100-1999999', 100, 1_999_999],
    ['bytes=-7', 2_499_993, 2_499_999],
    ['bytes=2400000-', 2_400_000, 2_499_999],
  ] as const) {
    const part = await get('ranged', { range })
    assert.equal(part.status, 206)
    assert.equal(part.headers['content-range'], `bytes ${from}-${to}/2500000`)
    assert.equal(part.headers['content-length'], String(to - from + 1))
    assert.ok(part.body.equals(bytes.subarray(from, to + 1)), range)
  }
  for (const range of ['bytes=-5--3', 'bytes=9-2', 'rows=1-2']) {
    const whole = await get('ranged', { range })
    assert.equal(whole.status, 200, range)
    assert.ok(whole.body.equals(bytes))
  }
  const beyond = await get('ranged', { range: 'bytes=2500000-' })
  assert.equal(beyond.status, 416)
  assert.equal(beyond.headers['content-range'], 'bytes */2500000')
  assert.equal(beyond.json.code, 'RANGE_NOT_SATISFIABLE')
  const stale = await get('ranged', { range: 'bytes=0-0', 'if-range': `"${md5('old')}"` })
  assert.equal(stale.status, 200)
})

test('conditional requests save the transfer or refuse it', async () => {
  await have('conditional', 'text')
  const { etag, 'last-modified': modified } = (await get('conditional')).headers
  const unchanged = await get('conditional', { 'if-none-match': etag! })
  assert.equal(unchanged.status, 304)
  assert.equal(unchanged.body.length, 0)
  assert.equal(unchanged.headers.etag, etag)
  assert.equal((await get('conditional', { 'if-modified-since': modified! })).status, 304)
  const refused = await get('conditional', { 'if-match': '"x"' })
  assert.equal(refused.status, 412)
  assert.equal(refused.json.code, 'PRECONDITION_FAILED')
})

test('an upload can insist on a new name, on the version it knows, and on its MD5', async () => {
  const none = { 'if-none-match': '*' }
  assert.equal((await put('insist', 'v1', none)).status, 201)
  const again = await put('insist', 'v2', none)
  assert.equal(again.status, 412)
  assert.equal(again.json.code, 'PRECONDITION_FAILED')
  assert.equal((await put('insist', 'v2', { 'if-match': '"wrong"' })).status, 412)
  assert.equal((await put('insist', 'v2', { 'if-match': `"${md5('v1')}"` })).status, 200)
  assert.equal((await get('insist')).text, 'v2')

  const digest = Buffer.from(md5('v3'), 'hex').toString('base64')
  const lie = await put('insist', 'other', { 'content-md5': digest })
  assert.equal(lie.status, 422)
  assert.equal(lie.json.code, 'DIGEST_MISMATCH')
  assert.equal((await get('insist')).text, 'v2')
  assert.equal((await put('insist', 'v3', { 'content-md5': digest })).status, 200)
  const malformed = await put('insist', 'v3', { 'content-md5': 'no' })
  assert.equal(malformed.status, 400)
  assert.equal(malformed.json.code, 'BAD_REQUEST')
})

test('a partial or coded PUT is refused instead of being taken for a whole file', async () => {
  const partial = await put('partial', 'x', { 'content-range': 'bytes 0-0/5' })
  assert.deepEqual([partial.status, partial.json.code], [400, 'BAD_REQUEST'])
  const coded = await put('partial', 'x', { 'content-encoding': 'gzip' })
  assert.deepEqual([coded.status, coded.json.code], [415, 'BAD_REQUEST'])
})

test('a file is deleted once, with 204, and then is not there', async () => {
  await have('gone', 'x')
  const refused = await call(`${url}/files/gone`, {
    method: 'DELETE',
    headers: { 'if-match': '"y"' },
  })
  assert.equal(refused.status, 412)
  const deleted = await call(`${url}/files/gone`, { method: 'DELETE' })
  assert.equal(deleted.status, 204)
  assert.equal(deleted.body.length, 0)
  for (const method of ['GET', 'DELETE'] as const) {
    const answer = await call(`${url}/files/gone`, { method })
    assert.deepEqual([answer.status, answer.json.code], [404, 'FILE_NOT_FOUND'])
  }
  assert.equal((await call(`${url}/files/gone`, { method: 'HEAD' })).status, 404)
})

test('?describe tells where every copy is', async () => {
  await have('described', 'hello')
  const { json } = await get('described?describe')
  const x = Number(BigInt(`0x${md5('hello')}`) % 4n)
  assert.equal(json.x, x)
  assert.equal(json.rows, 1)
  assert.deepEqual(
    json.parts.map(({ part }: { part: number }) => part),
    [1, 2, 3, 4],
  )
  for (const { nodes } of json.parts) {
    assert.equal(nodes.length, 2)
    assert.ok(nodes.every(({ here }: { here: boolean }) => here))
  }
})

test('names that cannot be are refused by one code', async () => {
  const long = 'x'.repeat(1025)
  for (const name of ['', 'a//b', 'a%2F..%2Fb', 'a/', '%00', 'a%07', '%ED%A0%80', '%zz', long]) {
    for (const method of ['GET', 'PUT', 'DELETE'] as const) {
      const answer = await call(`${url}/files/${name}`, { method })
      assert.deepEqual(
        [answer.status, answer.json?.code],
        [400, 'NAME_INVALID'],
        `${method} ${name}`,
      )
    }
  }
})

test('awkward names go up, are listed, and come down', async () => {
  const names = [
    '😀.bin',
    'a\nb',
    'say "hi"',
    "it's",
    '100%',
    'a%2Fb',
    'a b;c',
    'x?y#z',
    '\\',
    'ä'.repeat(255),
  ]
  for (const name of names) {
    const path = `odd/${encodeURIComponent(name)}`
    assert.equal((await put(path, name)).status, 201, name)
    assert.equal((await get(path)).text, name)
  }
  const listed = await call(`${url}/files?prefix=odd/`)
  assert.deepEqual(
    listed.json.files.map((file: { name: string }) => file.name).sort(),
    names.map((name) => `odd/${name}`).sort(),
  )
})

test('the listing has prefixes, folders, a search and pages', async () => {
  for (const name of ['list/a', 'list/b/1', 'list/b/2', 'list/c']) await have(name, name)
  const rolled = await call(`${url}/files?prefix=list/&delimiter=/`)
  assert.deepEqual(
    rolled.json.files.map((file: { name: string }) => file.name),
    ['list/a', 'list/c'],
  )
  assert.deepEqual(rolled.json.folders, [{ prefix: 'list/b/', files: 2, size: 16 }])
  const first = await call(`${url}/files?prefix=list/&limit=3`)
  assert.equal(first.json.files.length, 3)
  const rest = await call(`${url}/files?prefix=list/&limit=3&cursor=${first.json.next}`)
  assert.deepEqual(
    rest.json.files.map((file: { name: string }) => file.name),
    ['list/c'],
  )
  assert.equal(rest.json.next, undefined)
  assert.equal((await call(`${url}/files?search=LIST/C`)).json.files.length, 1)
  for (const query of [
    'limit=0',
    'limit=10001',
    'from=-1',
    'from=0&cursor=x',
    'sort=type',
    'limit=x',
    'limit=1&limit=2',
    'cursor=%00',
  ]) {
    const refused = await call(`${url}/files?${query}`)
    assert.deepEqual([refused.status, refused.json.code], [400, 'BAD_REQUEST'], query)
  }
})

const form = (parts: Parameters<typeof formBody>[0], query = '', headers = {}) =>
  call(`${url}/files${query}`, {
    method: 'POST',
    body: formBody(parts),
    headers: { 'content-type': FORM_TYPE, ...headers },
  })

test('a form brings any number of files, with fields around them', async () => {
  const big = randomBytes(1_500_000)
  const answer = await form([
    { field: 'note', content: 'hello' },
    { field: 'a', filename: 'form/1.txt', content: 'one', type: 'text/plain' },
    { field: 'a', filename: 'form/2', content: big, type: 'application/octet-stream' },
    { field: 'empty', filename: '', content: '', type: 'application/octet-stream' },
    { field: 'b', filename: 'form/näme %0A%22.txt', content: '' },
    { field: 'last', content: 'x' },
  ])
  assert.equal(answer.status, 201)
  const names = answer.json.files.map((file: { name: string }) => file.name)
  assert.deepEqual(names, ['form/1.txt', 'form/2', 'form/näme \n".txt'])
  assert.ok((await get('form/2')).body.equals(big))
  assert.equal((await get('form/1.txt')).text, 'one')
})

test('a form that names the folder after its files is told so, and what became of them', async () => {
  const file = { field: 'file', filename: 'early', content: 'x' }
  const answer = await form([file, { field: 'folder', content: 'late/' }])
  assert.equal(answer.status, 400)
  assert.equal(answer.json.code, 'FORM_INVALID')
  assert.match(answer.json.detail, /folder came after the files/)
  assert.deepEqual(
    answer.json.files.map(({ name }: { name: string }) => name),
    ['early'],
  )
})

test('a form puts its files into the folder that its address or a field before them names', async () => {
  const file = { field: 'file', filename: 'f', content: 'x' }
  const byQuery = await form([file], '?folder=q')
  assert.equal(byQuery.json.files[0].name, 'q/f')
  const byField = await form([{ field: 'folder', content: 'p/' }, file])
  assert.equal(byField.json.files[0].name, 'p/f')
})

test('a form without a file is refused, and so is one that is no form', async () => {
  const empty = { field: 'f', filename: '', content: '', type: 'application/octet-stream' }
  for (const parts of [[], [{ field: 'a', content: 'b' }], [empty]]) {
    const answer = await form(parts)
    assert.deepEqual([answer.status, answer.json.code], [400, 'FORM_INVALID'])
  }
  const bare = await call(`${url}/files`, { method: 'POST' })
  assert.deepEqual([bare.status, bare.json.code], [400, 'FORM_INVALID'])
  const json = await call(`${url}/files`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(json.status, 415)
  const noBoundary = await call(`${url}/files`, {
    method: 'POST',
    body: 'x',
    headers: { 'content-type': 'multipart/form-data' },
  })
  assert.deepEqual([noBoundary.status, noBoundary.json.code], [400, 'FORM_INVALID'])
})

test('a form that is cut off keeps the files that were whole, says so, and leaves nothing of the rest', async () => {
  const whole = { field: 'a', filename: 'cut/whole', content: 'whole' }
  const half = { field: 'b', filename: 'cut/half', content: randomBytes(2_000_000) }
  const answer = await call(`${url}/files`, {
    method: 'POST',
    body: formBody([whole, half], true),
    headers: { 'content-type': FORM_TYPE },
  })
  assert.deepEqual([answer.status, answer.json.code], [400, 'FORM_INVALID'])
  assert.deepEqual(
    answer.json.files.map((file: { name: string }) => file.name),
    ['cut/whole'],
  )
  assert.equal((await get('cut/whole')).text, 'whole')
  assert.equal((await get('cut/half')).status, 404)
})

test('a bad name in a form is refused with the files before it kept', async () => {
  const answer = await form([
    { field: 'a', filename: 'kept', content: '1' },
    { field: 'b', filename: '../escape', content: '2' },
    { field: 'c', filename: 'never', content: '3' },
  ])
  assert.deepEqual([answer.status, answer.json.code], [400, 'NAME_INVALID'])
  assert.equal(answer.json.files.length, 1)
  assert.equal((await get('never')).status, 404)
})

test('three hundred files in one form are all stored', { timeout: 120_000 }, async () => {
  const parts = Array.from({ length: 300 }, (_, index) => ({
    field: 'file',
    filename: `many/${index}`,
    content: `content ${index}`,
  }))
  const answer = await form(parts)
  assert.equal(answer.status, 201)
  assert.equal(answer.json.files.length, 300)
  assert.equal((await get('many/299')).text, 'content 299')
})
