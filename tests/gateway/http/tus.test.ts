// Uploads over tus 1.0.0 against a real gateway with four real nodes: the specification's MUSTs one
// by one, in its order (https://tus.io/protocols/resumable-upload).
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { ROW } from '../../support/content.ts'
import { basic, call, PASSWORD, USER } from './client.ts'
import { BODY, md5, meta, tusClient } from './tus-client.ts'

let cluster: TestCluster
let url: string
const { tus, open, patch, head, get } = tusClient(() => url)

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser(USER, PASSWORD)
  url = cluster.urls[0]!
})

after(() => cluster[Symbol.asyncDispose]())

// Core protocol.

test('HEAD tells the offset, also of 0, and the length, and is kept in no cache', async () => {
  const at = await open('head.bin', 10)
  const answer = await head(at)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['upload-offset'], '0')
  assert.equal(answer.headers['upload-length'], '10')
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.headers['upload-metadata'], meta({ filename: 'head.bin' }))
})

test('an upload that there is not is 404 without an offset, for HEAD, PATCH and DELETE', async () => {
  for (const id of ['0123456789abcdef0123456789abcdef', 'nonsense', '%00']) {
    const answers = [
      await head(`/uploads/${id}`),
      await patch(`/uploads/${id}`, 0, Buffer.from('x')),
      await tus(`/uploads/${id}`, { method: 'DELETE' }),
    ]
    for (const { status, headers } of answers) {
      assert.equal(status, 404)
      assert.equal(headers['upload-offset'], undefined)
    }
  }
})

test('PATCH adds bytes at the offset, and answers 204 with the new one', async () => {
  const bytes = randomBytes(3 * ROW + 77)
  const at = await open('folder/in parts.bin', bytes.length)
  let offset = 0
  for (const end of [100, ROW - 1, ROW + 1, 3 * ROW, bytes.length]) {
    const answer = await patch(at, offset, bytes.subarray(offset, end))
    assert.equal(answer.status, 204, answer.text)
    assert.equal(answer.headers['upload-offset'], String(end))
    offset = end
    assert.equal((await head(at)).headers['upload-offset'], String(end))
  }
  const file = await get('folder/in%20parts.bin')
  assert.ok(file.body.equals(bytes))
  assert.equal(file.headers.etag, `"${md5(bytes)}"`)
})

test('PATCH with another type is 415, without an offset 400, with a wrong one 409, and changes nothing', async () => {
  const at = await open('strict.bin', 10)
  assert.equal((await patch(at, 0, Buffer.from('abc'))).status, 204)
  const wrong = await patch(at, 3, Buffer.from('d'), { 'content-type': 'text/plain' })
  assert.equal(wrong.status, 415)
  const headers = { 'content-type': BODY }
  const none = await tus(at, { method: 'PATCH', body: Buffer.from('d'), headers })
  assert.equal(none.status, 400)
  for (const offset of [0, 2, 4, 10, 99]) {
    const answer = await patch(at, offset, Buffer.from('d'))
    assert.equal(answer.status, 409)
    assert.equal(answer.json.code, 'OFFSET_MISMATCH')
  }
  for (const offset of ['-1', 'x', '1.5', '']) {
    const answer = await patch(at, 0, Buffer.from('d'), { 'upload-offset': offset })
    assert.equal(answer.status, 400, offset)
  }
  assert.equal((await head(at)).headers['upload-offset'], '3')
})

test('a request in another version of tus is 412 with ours, and does nothing', async () => {
  const at = await open('versions.bin', 3)
  for (const version of ['0.2.2', '2.0.0', '']) {
    const answer = await patch(at, 0, Buffer.from('abc'), { 'tus-resumable': version })
    assert.equal(answer.status, 412)
    assert.equal(answer.headers['tus-version'], '1.0.0')
    assert.equal(answer.headers['tus-resumable'], '1.0.0')
  }
  assert.equal((await head(at)).headers['upload-offset'], '0')
})

test('every answer but to OPTIONS carries the version, also errors', async () => {
  const at = await open('carries.bin', 3)
  const answers = [
    await head(at),
    await patch(at, 0, Buffer.from('abc')),
    await head('/uploads/none'),
    await tus('/uploads', { method: 'POST' }),
    await tus(at, { method: 'DELETE' }),
    await tus('/uploads', { method: 'POST', authorization: null }),
    await tus(at, { method: 'HEAD', authorization: null }),
    await tus(at, { method: 'PATCH', authorization: basic(USER, 'a wrong password') }),
  ]
  for (const { headers } of answers) assert.equal(headers['tus-resumable'], '1.0.0')
})

test('OPTIONS tells versions, extensions, checksums and the greatest size, without a version', async () => {
  for (const path of ['/uploads', '/uploads/some']) {
    const answer = await call(`${url}${path}`, { method: 'OPTIONS' })
    assert.equal(answer.status, 204)
    assert.equal(answer.headers['tus-version'], '1.0.0')
    const extensions = answer.headers['tus-extension']!.split(',')
    assert.deepEqual(extensions.sort(), [
      ...['checksum', 'creation', 'creation-defer-length', 'creation-with-upload'],
      ...['expiration', 'termination'],
    ])
    assert.deepEqual(answer.headers['tus-checksum-algorithm']!.split(','), [
      ...['md5', 'sha1', 'sha256', 'crc32'],
    ])
    assert.ok(Number(answer.headers['tus-max-size']) > 2 ** 50)
  }
})

test('X-HTTP-Method-Override says what is meant, whatever the method is', async () => {
  const at = await open('override.bin', 7)
  const bytes = Buffer.from('abcdef')
  for (const [offset, method] of (['POST', 'DELETE', 'PATCH'] as const).entries()) {
    const headers = { 'x-http-method-override': 'PATCH', 'content-type': BODY }
    const body = bytes.subarray(2 * offset, 2 * offset + 2)
    const place = { 'upload-offset': String(2 * offset) }
    const added = await tus(at, { method, body, headers: { ...headers, ...place } })
    assert.equal(added.status, 204, `${method}: ${added.text}`)
  }
  for (const method of ['POST', 'PATCH', 'HEAD'] as const) {
    const seen = await tus(at, { method, headers: { 'x-http-method-override': 'head' } })
    assert.equal(seen.headers['upload-offset'], '6', method)
  }
  const abilities = { 'x-http-method-override': 'OPTIONS' }
  for (const path of ['/uploads', at]) {
    const told = await tus(path, { method: 'POST', headers: abilities })
    assert.equal(told.headers['tus-version'], '1.0.0', told.text)
  }
  const ending = { 'x-http-method-override': 'DELETE' }
  // Who may look may not delete so.
  assert.equal((await tus(at, { method: 'HEAD', headers: ending })).status, 405)
  assert.equal((await head(at)).status, 200)
  assert.equal((await tus(at, { method: 'PATCH', headers: ending })).status, 204)
  assert.equal((await head(at)).status, 404)
})

test('an upload takes no other methods, and says which it takes', async () => {
  const at = await open('methods.bin', 3)
  for (const method of ['GET', 'PUT', 'POST'] as const) {
    const answer = await tus(at, { method, body: method === 'GET' ? undefined : 'x' } as object)
    assert.equal(answer.status, 405, method)
    assert.equal(answer.json.code, 'METHOD_NOT_ALLOWED')
    assert.match(answer.headers.allow!, /^DELETE, HEAD, OPTIONS, PATCH(, POST)?$/)
  }
  const odd = await tus('/uploads', {
    method: 'POST',
    headers: { 'x-http-method-override': 'PUT' },
  })
  assert.deepEqual([odd.status, odd.headers.allow], [405, 'OPTIONS, POST'])
  assert.equal((await tus(`${at}/more`, { method: 'PUT' })).status, 404)
})

// Creation.

test('POST makes an upload and answers 201 with its address', async () => {
  const answer = await tus('/uploads', {
    method: 'POST',
    headers: { 'upload-length': '5', 'upload-metadata': meta({ filename: 'made.txt' }) },
  })
  assert.equal(answer.status, 201)
  assert.match(answer.headers.location!, /^\/uploads\/[0-9a-f]{32}$/)
  assert.equal(answer.text, '')
})

test('an empty upload is a file at once', async () => {
  const at = await open('nothing.bin', 0)
  assert.equal((await get('nothing.bin')).status, 200)
  const { headers } = await head(at)
  assert.deepEqual([headers['upload-offset'], headers['upload-length']], ['0', '0'])
})

test('POST without a length, with both kinds, or with a wrong one is 400; one too great 413', async () => {
  const file = { 'upload-metadata': meta({ filename: 'lengths' }) }
  const bad: Record<string, string>[] = [
    {},
    { 'upload-length': '5', 'upload-defer-length': '1' },
    { 'upload-length': '-5' },
    { 'upload-length': '5.5' },
    { 'upload-length': '0x10' },
    { 'upload-defer-length': '2' },
    { 'upload-defer-length': 'true' },
  ]
  for (const headers of bad) {
    const answer = await tus('/uploads', { method: 'POST', headers: { ...file, ...headers } })
    assert.equal(answer.status, 400, JSON.stringify(headers))
  }
  const headers = { ...file, 'upload-length': '99999999999999999999' }
  assert.equal((await tus('/uploads', { method: 'POST', headers })).status, 413)
})

test('metadata are told again as they were sent; wrong ones are 400', async () => {
  const good = `${meta({ filename: 'a/ü 😀.txt', filetype: 'text/plain' })},is_secret, note aGk=`
  const answer = await tus('/uploads', {
    method: 'POST',
    headers: { 'upload-length': '2', 'upload-metadata': good },
  })
  assert.equal(answer.status, 201)
  const at = answer.headers.location!
  assert.equal((await head(at)).headers['upload-metadata'], good)
  assert.equal((await patch(at, 0, Buffer.from('hi'))).status, 204)
  const file = await get(encodeURI('a/ü 😀.txt'))
  assert.equal(file.text, 'hi')
  assert.match(file.headers['content-type']!, /^text\/plain/)
  const name = Buffer.from('x').toString('base64')
  const bad = ['', 'filename', `filename ${name},filename ${name}`, `filename ${name} ${name}`]
  bad.push(`filename *&%`, `filenäme ${name}`, `filename ${Buffer.from('../x').toString('base64')}`)
  bad.push(`filename ${Buffer.from([0xff, 0xfe]).toString('base64')}`)
  bad.push(`filename ${name},md5 eA==`, `filename ${name},lastModified eA==`)
  // Later than the year 9999: no answer could tell it.
  bad.push(`filename ${name},lastModified ${Buffer.from('9000000000000000').toString('base64')}`)
  bad.push(`filename ${name},filetype ${Buffer.from('a\nb').toString('base64')}`)
  for (const metadata of bad) {
    const headers = {
      'upload-length': '2',
      'upload-metadata': Buffer.from(metadata).toString('latin1'),
    }
    assert.equal((await tus('/uploads', { method: 'POST', headers })).status, 400, metadata)
  }
  const headers = {
    'upload-length': '2',
    'upload-metadata': `filename ${name},x ${'A'.repeat(4000)}`,
  }
  assert.equal((await tus('/uploads', { method: 'POST', headers })).status, 413)
})

test('a deferred length is told by HEAD until a PATCH tells it, and can be told once', async () => {
  const bytes = randomBytes(ROW + 10)
  const at = await open('deferred.bin', undefined)
  assert.equal((await patch(at, 0, bytes.subarray(0, 10))).status, 204)
  const before = await head(at)
  assert.equal(before.headers['upload-defer-length'], '1')
  assert.equal(before.headers['upload-length'], undefined)
  const small = await patch(at, 10, Buffer.alloc(0), { 'upload-length': '9' })
  assert.equal(small.status, 400)
  const length = { 'upload-length': String(bytes.length) }
  assert.equal((await patch(at, 10, bytes.subarray(10, 20), length)).status, 204)
  const after = await head(at)
  assert.equal(after.headers['upload-length'], String(bytes.length))
  assert.equal(after.headers['upload-defer-length'], undefined)
  const other = await patch(at, 20, Buffer.alloc(0), { 'upload-length': '99' })
  assert.equal(other.status, 400)
  assert.equal((await patch(at, 20, bytes.subarray(20))).status, 204)
  assert.ok((await get('deferred.bin')).body.equals(bytes))
})

test('a deferred length may be told when all bytes are there, also just at the end of a row', async () => {
  for (const sizeBytes of [0, 5, ROW, 2 * ROW]) {
    const bytes = randomBytes(sizeBytes)
    const name = `deferred-${sizeBytes}`
    const at = await open(name, undefined)
    if (sizeBytes > 0) assert.equal((await patch(at, 0, bytes)).status, 204)
    const length = { 'upload-length': String(sizeBytes) }
    const last = await patch(at, sizeBytes, Buffer.alloc(0), length)
    assert.equal(last.status, 204, last.text)
    assert.equal(last.headers.etag, `"${md5(bytes)}"`)
    assert.ok((await get(name)).body.equals(bytes))
  }
})

// Creation with upload.

test('POST may bring the first bytes, and answers with the offset after them', async () => {
  const bytes = randomBytes(1000)
  const headers = { 'content-type': BODY, 'upload-metadata': meta({ filename: 'with.bin' }) }
  const length = { 'upload-length': '1000' }
  const part = await tus('/uploads', {
    method: 'POST',
    body: bytes.subarray(0, 400),
    headers: { ...headers, ...length },
  })
  assert.equal(part.status, 201, part.text)
  assert.equal(part.headers['upload-offset'], '400')
  assert.ok(part.headers['upload-expires'])
  assert.equal((await patch(part.headers.location!, 400, bytes.subarray(400))).status, 204)
  assert.ok((await get('with.bin')).body.equals(bytes))
  const whole = await tus('/uploads', {
    method: 'POST',
    body: bytes,
    headers: { ...headers, ...length, 'upload-metadata': meta({ filename: 'whole.bin' }) },
  })
  assert.equal(whole.headers['upload-offset'], '1000')
  assert.equal(whole.headers.etag, `"${md5(bytes)}"`)
  assert.ok((await get('whole.bin')).body.equals(bytes))
  const seen = await head(whole.headers.location!)
  assert.deepEqual([seen.headers['upload-offset'], seen.headers['upload-length']], ['1000', '1000'])
  assert.equal(seen.headers.etag, whole.headers.etag)
  const refused = await tus('/uploads', {
    method: 'POST',
    body: bytes,
    headers: {
      ...{ ...headers, ...length, 'upload-metadata': meta({ filename: 'refused.bin' }) },
      'upload-checksum': `md5 ${Buffer.alloc(16).toString('base64')}`,
    },
  })
  assert.equal(refused.status, 460)
  assert.equal((await get('refused.bin')).status, 404)
})

// Expiration.

test('answers tell when the upload expires: in seven days', async () => {
  const at = await open('expires.bin', 5)
  for (const { headers } of [await head(at), await patch(at, 0, Buffer.from('a'))]) {
    const text = headers['upload-expires']!
    const days = (Date.parse(text) - Date.now()) / 86_400_000
    assert.ok(days > 6.99 && days <= 7, text)
    assert.equal(new Date(text).toUTCString(), text)
  }
})

// Checksum.

test('bytes are checked against md5, sha1, sha256 and crc32; a mismatch is 460 and changes nothing', async () => {
  const bytes = randomBytes(4 * ROW)
  const at = await open('checked.bin', bytes.length)
  const sums: Record<string, (part: Buffer) => Buffer> = {
    md5: (part) => createHash('md5').update(part).digest(),
    sha1: (part) => createHash('sha1').update(part).digest(),
    sha256: (part) => createHash('sha256').update(part).digest(),
    crc32: (part) => {
      const sum = Buffer.alloc(4)
      sum.writeUInt32BE(crc32(part))
      return sum
    },
  }
  let offset = 0
  for (const [name, sum] of Object.entries(sums)) {
    const part = bytes.subarray(offset, offset + ROW)
    const wrong = sum(Buffer.from('other')).toString('base64')
    const refused = await patch(at, offset, part, { 'upload-checksum': `${name} ${wrong}` })
    assert.equal(refused.status, 460, refused.text)
    assert.equal((await head(at)).headers['upload-offset'], String(offset))
    const right = sum(part).toString('base64')
    const taken = await patch(at, offset, part, { 'upload-checksum': `${name} ${right}` })
    assert.equal(taken.status, 204, taken.text)
    offset += ROW
  }
  assert.ok((await get('checked.bin')).body.equals(bytes))
})

test('an unknown or malformed checksum is 400', async () => {
  const at = await open('unchecked.bin', 5)
  for (const text of ['sha512 aGk=', 'sha1', 'sha1 ???', 'sha1 aGk=', 'md5 aGk= x', '']) {
    const answer = await patch(at, 0, Buffer.from('hello'), { 'upload-checksum': text })
    assert.equal(answer.status, 400, text)
  }
  assert.equal((await head(at)).headers['upload-offset'], '0')
})

// Termination.

test('DELETE answers 204, and then the upload is gone, also a finished one, whose file stays', async () => {
  for (const sizeBytes of [3, 5]) {
    const at = await open(`ended-${sizeBytes}`, sizeBytes)
    assert.equal((await patch(at, 0, Buffer.from('abc'))).status, 204)
    assert.equal((await tus(at, { method: 'DELETE' })).status, 204)
    assert.equal((await head(at)).status, 404)
    assert.equal((await patch(at, 3, Buffer.from('de'))).status, 404)
  }
  assert.equal((await get('ended-3')).text, 'abc')
  assert.equal((await get('ended-5')).status, 404)
})
