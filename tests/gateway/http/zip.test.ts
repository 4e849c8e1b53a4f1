// POST /zip against a real cluster: what is selected comes as one archive of the announced length,
// byte for byte; what cannot be had whole is refused beforehand, or breaks the connection.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { request } from 'undici'
import yauzl from 'yauzl'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { gathered, md5Hex, ROW, seededBytes } from '../../support/content.ts'
import { whenGatewaySees } from '../../support/watching.ts'
import { BASIC, call, type Reply } from './client.ts'

const FORM = 'application/x-www-form-urlencoded'
const CONTENTS: Record<string, Buffer> = {
  'notes/a.txt': Buffer.from('first'),
  'notes/A.txt': Buffer.from('second'),
  'notes/deep/😀\n.bin': seededBytes('deep', 2 * ROW + 5),
  'notes/empty': Buffer.alloc(0),
  'other/aux.c': seededBytes('aux', 300_000),
}
let cluster: TestCluster
let url: string

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser('alice', 'correct horse')
  url = cluster.urls[0]!
  for (const [name, body] of Object.entries(CONTENTS)) await put(name, body)
})

after(() => cluster?.[Symbol.asyncDispose]())

async function put(name: string, body: Buffer): Promise<void> {
  const path = name.split('/').map(encodeURIComponent).join('/')
  assert.equal((await call(`${url}/files/${path}`, { method: 'PUT', body })).status, 201)
}

function zip(body: object | URLSearchParams, headers: Record<string, string> = {}): Promise<Reply> {
  const isForm = body instanceof URLSearchParams
  return call(`${url}/zip`, {
    method: 'POST',
    body: isForm ? body.toString() : JSON.stringify(body),
    headers: { 'content-type': isForm ? FORM : 'application/json', ...headers },
  })
}

/** Name and MD5 of each file; yauzl checks lengths, and that names climb nowhere. */
async function unpacked(archive: Buffer): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const options = { validateEntrySizes: true, strictFileNames: true }
  const file = await yauzl.fromBufferPromise(archive, options)
  for await (const entry of file.eachEntry()) {
    const content = await gathered(await file.openReadStreamPromise(entry))
    found[entry.fileName] = md5Hex(content)
  }
  return found
}

const expected = (paths: Record<string, string>) =>
  Object.fromEntries(Object.entries(paths).map(([path, name]) => [path, md5Hex(CONTENTS[name]!)]))

test('a folder comes as an archive of its name, of the announced length, byte for byte', async () => {
  const answer = await zip({ prefix: 'notes/' })
  assert.equal(answer.status, 200, answer.text.slice(0, 300))
  assert.equal(answer.headers['content-type'], 'application/zip')
  assert.equal(answer.headers['content-disposition'], 'attachment; filename=notes.zip')
  assert.equal(Number(answer.headers['content-length']), answer.body.length)
  assert.deepEqual(
    await unpacked(answer.body),
    expected({
      'notes/a (2).txt': 'notes/a.txt',
      'notes/A.txt': 'notes/A.txt',
      'notes/deep/😀_.bin': 'notes/deep/😀\n.bin',
      'notes/empty': 'notes/empty',
    }),
  )
})

test('a form with repeated fields gets each file once, without the folders that all lie in', async () => {
  const form = new URLSearchParams([
    ['names', 'notes/a.txt'],
    ['names', 'notes/empty'],
    ['names', 'notes/a.txt'],
    ['prefix', 'notes/deep/'],
  ])
  const answer = await zip(form)
  assert.equal(answer.headers['content-disposition'], 'attachment; filename=fourfold.zip')
  assert.deepEqual(
    await unpacked(answer.body),
    expected({
      'a.txt': 'notes/a.txt',
      empty: 'notes/empty',
      'deep/😀_.bin': 'notes/deep/😀\n.bin',
    }),
  )
  const one = await zip({ names: 'other/aux.c' })
  assert.deepEqual(await unpacked(one.body), expected({ 'aux_.c': 'other/aux.c' }))
})

test('what is not there, too much or nothing is refused with a reason', async () => {
  const absent = await zip({ names: ['notes/a.txt', 'gone', 'away'] })
  assert.deepEqual([absent.status, absent.json.code], [404, 'FILE_NOT_FOUND'])
  assert.deepEqual(absent.json.names.toSorted(), ['away', 'gone'])
  const many = await zip({ names: Array.from({ length: 10_001 }, (_, index) => `${index}`) })
  assert.deepEqual([many.status, many.json.code], [413, 'TOO_LARGE'])
  for (const [body, status, code] of [
    [{}, 400, 'BAD_REQUEST'],
    [{ names: [] }, 400, 'BAD_REQUEST'],
    [{ names: 5 }, 400, 'BAD_REQUEST'],
    [{ prefix: 'nowhere/' }, 404, 'FILE_NOT_FOUND'],
    [{ names: ['../x'] }, 400, 'NAME_INVALID'],
  ] as const) {
    const { status: got, json } = await zip(body)
    assert.deepEqual([got, json.code], [status, code], JSON.stringify(body))
  }
  const page = await zip(new URLSearchParams({ names: 'gone' }), { accept: 'text/html' })
  assert.equal(page.status, 404)
  assert.match(page.headers['content-type'] ?? '', /^text\/html/)
})

test('only a user gets an archive, and no page of another site can ask for one', async () => {
  const body = new URLSearchParams({ prefix: 'notes/' }).toString()
  const nobody = { method: 'POST' as const, body, authorization: null }
  const refused = await call(`${url}/zip`, { ...nobody, headers: { 'content-type': FORM } })
  assert.equal(refused.status, 401)
  const signIn = await call(`${url}/session`, {
    ...nobody,
    body: JSON.stringify({ user: 'alice', password: 'correct horse' }),
    headers: { 'content-type': 'application/json' },
  })
  const cookie = String(signIn.headers['set-cookie']).split(';')[0]!
  const from = async (origin: string) => {
    const headers = { 'content-type': FORM, cookie, origin }
    return (await call(`${url}/zip`, { ...nobody, headers })).status
  }
  assert.equal(await from('https://elsewhere.example'), 403)
  assert.equal(await from(url), 200)
})

test('with a node down the archive is whole; with two neighbours down it is refused by name', async () => {
  await cluster.nodes[1]!.kill()
  await whenGatewaySees(url, [1, 3, 4])
  assert.equal(Object.keys(await unpacked((await zip({ prefix: 'notes/' })).body)).length, 4)
  await cluster.nodes[2]!.kill()
  await whenGatewaySees(url, [1, 4])
  const refused = await zip({ prefix: 'notes/' })
  assert.deepEqual([refused.status, refused.json.code], [503, 'PARTS_UNAVAILABLE'])
  assert.equal(refused.json.names.length, 4)
  assert.deepEqual(refused.json.nodes, ['DFS2', 'DFS3'])
  await Promise.all([1, 2].map((index) => cluster.nodes[index]!.start()))
  await whenGatewaySees(url, [1, 2, 3, 4])
})

test('a file that is deleted while its turn has not come breaks the connection', async () => {
  await put('breaking/1 long', seededBytes('long', 40 * ROW))
  await put('breaking/2 doomed', Buffer.from('doomed'))
  const { body, headers } = await request(`${url}/zip`, {
    method: 'POST',
    headers: { authorization: BASIC, 'content-type': 'application/json' },
    body: JSON.stringify({ prefix: 'breaking/' }),
  })
  let seenBytes = 0
  const reading = (async () => {
    for await (const bytes of body) {
      if (seenBytes === 0) {
        const gone = await call(`${url}/files/breaking/2%20doomed`, { method: 'DELETE' })
        assert.equal(gone.status, 204)
      }
      seenBytes += bytes.length
    }
  })()
  await assert.rejects(reading, { message: /terminated|other side closed|aborted/ })
  assert.ok(seenBytes < Number(headers['content-length']))
})
