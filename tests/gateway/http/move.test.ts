// Renaming and moving over HTTP: a file, a folder, what is in the way, conditions; that no byte of
// content moves on the network or on a disk, by the nodes' own counters and the files' inodes.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../../support/content.ts'
import { nodeStatus, whenGatewaySees } from '../../support/watching.ts'
import { call, type Reply } from './client.ts'

let cluster: TestCluster
let url: string

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser('alice', 'correct horse')
  url = cluster.urls[0]!
})

after(() => cluster?.[Symbol.asyncDispose]())

const at = (name: string) => `${url}/files/${name.split('/').map(encodeURIComponent).join('/')}`
const get = (name: string) => call(at(name))

async function put(name: string, body: Buffer | string, headers: Record<string, string> = {}) {
  const { status, text } = await call(at(name), { method: 'PUT', body, headers })
  assert.ok(status === 201 || status === 200, text)
}

function rename(name: string, to: object, headers: Record<string, string> = {}): Promise<Reply> {
  return call(at(name), {
    method: 'PATCH',
    body: JSON.stringify(to),
    headers: { 'content-type': 'application/json', ...headers },
  })
}

async function names(prefix = ''): Promise<string[]> {
  const { json } = await call(`${url}/files?prefix=${encodeURIComponent(prefix)}`)
  return json.files.map((file: { name: string }) => file.name)
}

/** Every part file of all nodes: inode and length. */
function partFiles(): string[] {
  return cluster.nodes.flatMap(({ folder }) => {
    const paths = readdirSync(`${folder}/parts`, { recursive: true }) as string[]
    return paths
      .filter((path) => path.includes('.part'))
      .map((path) => statSync(`${folder}/parts/${path}`))
      .map(({ ino, size }) => `${folder} ${ino} ${size}`)
      .toSorted()
  })
}

test('a SHA-256 that came with the bytes is told with them, also under another name, and not of other bytes', async () => {
  for (const size of [5, 2 * ROW + 7]) {
    const body = seededBytes(`sha ${size}`, size)
    const sha256 = createHash('sha256').update(body).digest('base64')
    const [from, to] = [`sha ${size}`, `sha moved ${size}`]
    await put(from, body, { 'repr-digest': `sha-256=:${sha256}:` })
    const wanting = { 'want-repr-digest': 'sha-256=9' }
    const digestOf = async (name: string) =>
      (await call(at(name), { method: 'HEAD', headers: wanting })).headers['repr-digest']
    assert.equal(await digestOf(from), `sha-256=:${sha256}:`)
    assert.equal((await rename(from, { name: to })).status, 200)
    assert.equal(await digestOf(to), `sha-256=:${sha256}:`)
    assert.ok((await names('sha ')).includes(to), 'its description is listed')
    await put(to, `${size}`)
    const md5 = createHash('md5').update(`${size}`).digest('base64')
    assert.equal(await digestOf(to), `md5=:${md5}:`)
  }
})

test('a renamed file has its bytes, type and time under the new name, and the old name is gone', async () => {
  for (const size of [0, 5, 300_000, 2 * ROW + 7]) {
    const body = seededBytes(`rename ${size}`, size)
    const [from, to] = [`from ${size}.bin`, `folder/to 😀\n${size}.bin`]
    await put(from, body, { 'content-type': 'image/png' })
    const before = (await call(`${at(from)}?describe`)).json
    const answer = await rename(from, { name: to })
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual(answer.json, { ...fileOf(before), name: to })
    assert.equal(answer.headers.etag, `"${md5Hex(body)}"`)
    assert.equal(answer.headers['content-location'], new URL(at(to)).pathname)
    const moved = await get(to)
    assert.equal(md5Hex(moved.body), md5Hex(body))
    assert.equal(moved.headers['content-type'], 'image/png')
    assert.equal((await get(from)).status, 404)
    const described = (await call(`${at(to)}?describe`)).json
    assert.deepEqual(described, { ...before, name: to })
  }
  assert.deepEqual(await names('from '), [])
})

function fileOf({ name, size, modified, type, md5, copies, state }: Record<string, unknown>) {
  return { name, size, modified, type, md5, copies, state }
}

test('a rename moves no content: not on the network, and not on a disk', async () => {
  await put('heavy', seededBytes('heavy', 3 * ROW))
  await put('light', seededBytes('light', 4000))
  const read = () => Promise.all([1, 2, 3, 4].map((number) => nodeStatus(cluster, number)))
  const [files, counters] = [partFiles(), await read()]
  assert.equal((await rename('heavy', { name: 'heavier' })).status, 200)
  assert.equal((await rename('light', { name: 'lighter' })).status, 200)
  for (const [index, now] of (await read()).entries()) {
    const then = counters[index]!
    assert.equal(now.pieceBytesReceived, then.pieceBytesReceived)
    assert.equal(now.pieceBytesSent, then.pieceBytesSent)
    assert.equal(now.storedBytes, then.storedBytes)
    // Descriptions, proofs and answers to pings.
    assert.ok(now.receivedBytes - then.receivedBytes < 10_000)
  }
  assert.deepEqual(partFiles(), files)
})

test('a name that is taken is refused with NAME_EXISTS, and replaced only where asked', async () => {
  await put('one', 'first')
  await put('two', 'second')
  const refused = await rename('one', { name: 'two' })
  assert.equal(refused.status, 412)
  assert.equal(refused.json.code, 'NAME_EXISTS')
  assert.equal((await get('two')).text, 'second')
  assert.equal((await rename('one', { name: 'two', replace: true })).status, 200)
  assert.equal((await get('two')).text, 'first')
  assert.equal((await get('one')).status, 404)
  // Names that were there before are free again, and so is the way back.
  assert.equal((await rename('two', { name: 'one' })).status, 200)
  await put('two', 'third')
  assert.equal((await get('one')).text, 'first')
  assert.equal((await get('two')).text, 'third')
})

test('the condition is on the file that is renamed, and what is no rename is refused', async () => {
  await put('kept', 'content')
  const other = { 'if-match': `"${md5Hex(Buffer.from('other'))}"` }
  const stale = await rename('kept', { name: 'lost' }, other)
  assert.deepEqual([stale.status, stale.json.code], [412, 'PRECONDITION_FAILED'])
  const same = { 'if-match': `"${md5Hex(Buffer.from('content'))}"` }
  assert.equal((await rename('kept', { name: 'kept' }, same)).status, 200)
  const answers = await Promise.all([
    rename('absent', { name: 'x' }),
    rename('kept', { name: '../x' }),
    rename('kept', { name: 'folder/' }),
    rename('kept', {}),
    rename('kept', { name: 'x' }, { 'content-type': 'application/xml' }),
  ])
  assert.deepEqual(
    answers.map(({ status, json }) => [status, json.code]),
    [
      [404, 'FILE_NOT_FOUND'],
      [400, 'NAME_INVALID'],
      [400, 'NAME_INVALID'],
      [400, 'BAD_REQUEST'],
      [415, 'BAD_REQUEST'],
    ],
  )
  const patch = { 'content-type': 'application/merge-patch+json', ...same }
  assert.equal((await rename('kept', { name: 'kept too' }, patch)).status, 200)
  assert.equal((await get('kept too')).text, 'content')
})

test('a folder moves as a whole; names in the way are told before anything moves', async () => {
  for (let index = 0; index < 40; index++) await put(`docs/${index % 3}/${index}`, `${index}`)
  await put('docs', 'a file beside the folder')
  await put('papers/0/3', 'in the way')
  const refused = await rename('docs/', { name: 'papers/' })
  assert.deepEqual([refused.status, refused.json.code], [412, 'NAME_EXISTS'])
  assert.deepEqual(refused.json.names, ['papers/0/3'])
  assert.equal((await names('docs/')).length, 40)
  const moved = await rename('docs/', { name: 'papers/', replace: true })
  assert.equal(moved.status, 200, moved.text)
  assert.deepEqual(moved.json, { name: 'papers/', moved: 40 })
  assert.deepEqual(await names('docs'), ['docs'])
  assert.equal((await names('papers/')).length, 40)
  assert.equal((await get('papers/0/3')).text, '3')
  assert.equal((await rename('docs/', { name: 'x/' })).json.code, 'FILE_NOT_FOUND')
  assert.equal((await rename('papers/', { name: 'papers/in/' })).json.code, 'NAME_INVALID')
  assert.equal((await rename('papers/', { name: 'papers' })).json.code, 'NAME_INVALID')
  const conditional = await rename('papers/', { name: 'y/' }, { 'if-match': '*' })
  assert.equal(conditional.json.code, 'BAD_REQUEST')
})

test('of two who rename the same file at once one succeeds, and the content is there once', async () => {
  for (let round = 0; round < 5; round++) {
    await put('wanted', `round ${round}`)
    const targets = [`left ${round}`, `right ${round}`]
    const answers = await Promise.all(targets.map((name) => rename('wanted', { name })))
    const statuses = answers.map(({ status }) => status).toSorted()
    assert.deepEqual(statuses, [200, 404], answers.map(({ text }) => text).join())
    const found = await Promise.all(['wanted', ...targets].map(get))
    assert.equal(found.filter(({ status }) => status === 200).length, 1)
  }
})

test('an upload under the old name while it is renamed is kept, whichever comes first', async () => {
  for (let round = 0; round < 10; round++) {
    const [from, to] = [`busy ${round}`, `moved ${round}`]
    await put(from, 'old')
    const [, renamed] = await Promise.all([put(from, 'new'), rename(from, { name: to })])
    assert.equal(renamed.status, 200, renamed.text)
    const [there, here] = [await get(to), await get(from)]
    const seen = [there.text, here.status === 200 ? here.text : undefined]
    // Renamed first: both. Uploaded first: what was uploaded has moved.
    const isRight = seen.join() === 'old,new' || seen.join() === 'new,'
    assert.ok(isRight, seen.join())
  }
})

test('a rename needs all four nodes and says which one is missing', async () => {
  await put('waiting', 'content')
  await cluster.nodes[2]!.kill()
  await whenGatewaySees(url, [1, 2, 4])
  const refused = await rename('waiting', { name: 'done' })
  assert.deepEqual([refused.status, refused.json.code], [503, 'NODES_UNAVAILABLE'])
  assert.deepEqual(refused.json.nodes, ['DFS3'])
  assert.equal((await get('waiting')).text, 'content')
  await cluster.nodes[2]!.start()
  await whenGatewaySees(url, [1, 2, 3, 4])
  assert.equal((await rename('waiting', { name: 'done' })).status, 200)
})
