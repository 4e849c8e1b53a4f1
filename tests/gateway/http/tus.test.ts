// Uploads over tus 1.0.0 against a real gateway with four real nodes: the specification's MUSTs one
// by one, in its order (https://tus.io/protocols/resumable-upload), and what we promise beside it.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { basic, type CallOptions, call, PASSWORD, USER } from './client.ts'

const ROW = 1_048_576
const BODY = 'application/offset+octet-stream'

let cluster: TestCluster
let url: string

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser(USER, PASSWORD)
  await cluster.addUser('bob', PASSWORD)
  url = cluster.urls[0]!
})

after(() => cluster[Symbol.asyncDispose]())

type Options = Omit<CallOptions, 'headers'> & { headers?: Record<string, string> }
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex')
const meta = (pairs: Record<string, string>) =>
  Object.entries(pairs)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',')

/** One request of tus to an address or a path. */
function tus(target: string, options: Options = {}) {
  const headers = { 'tus-resumable': '1.0.0', ...options.headers }
  return call(new URL(target, url).href, { ...options, headers })
}

/** Opens an upload and answers its address. */
async function open(
  name: string,
  sizeBytes: number | undefined,
  headers: Record<string, string> = {},
): Promise<string> {
  const length: Record<string, string> =
    sizeBytes === undefined
      ? { 'upload-defer-length': '1' }
      : { 'upload-length': String(sizeBytes) }
  const answer = await tus('/uploads', {
    method: 'POST',
    headers: { ...length, 'upload-metadata': meta({ filename: name }), ...headers },
  })
  assert.equal(answer.status, 201, answer.text)
  return answer.headers['location']!
}

const patch = (at: string, offset: number, body: Buffer, headers: Record<string, string> = {}) =>
  tus(at, {
    method: 'PATCH',
    body,
    headers: { 'content-type': BODY, 'upload-offset': String(offset), ...headers },
  })
const head = (at: string) => tus(at, { method: 'HEAD' })
const get = (name: string) => call(`${url}/files/${name}`)

test('HEAD tells the offset, also of 0, and the length, and is kept in no cache', async () => {
  const at = await open('head.bin', 10)
  const answer = await head(at)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['upload-offset'], '0')
  assert.equal(answer.headers['upload-length'], '10')
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.headers['tus-resumable'], '1.0.0')
  assert.equal(answer.headers['upload-metadata'], meta({ filename: 'head.bin' }))
})

test('bytes sent in several requests become the file', async () => {
  const bytes = randomBytes(3 * ROW + 77)
  const at = await open('folder/in parts.bin', bytes.length, {})
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
  assert.equal(file.headers['etag'], `"${md5(bytes)}"`)
})
void [basic, crc32]
