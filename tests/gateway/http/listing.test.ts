// GET /files with many ways to look: orders, windows, streams, conditional requests, what changed
// since, and events; through two gateways that know nothing of each other.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { request } from 'undici'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { BASIC, call, HTML, PASSWORD, USER } from './client.ts'

let cluster: TestCluster
let url: string
let otherUrl: string
const sizes: Record<string, number> = { 'a/1': 30, 'a/2': 5, b: 10, c: 0, 'd/x': 1, e: 70_000 }

before(async () => {
  cluster = await startCluster({ gateways: 2 })
  await cluster.addUser(USER, PASSWORD)
  ;[url, otherUrl] = cluster.urls as [string, string]
  for (const [name, size] of Object.entries(sizes)) await put(url, name, size)
})
after(() => cluster[Symbol.asyncDispose]())

async function put(gateway: string, name: string, size: number): Promise<void> {
  const answer = await call(`${gateway}/files/${name}`, { method: 'PUT', body: Buffer.alloc(size) })
  assert.ok(answer.status < 300)
}

const namesOf = (files: { name: string }[]) => files.map(({ name }) => name)

test('files come in each order, folders before them with counts and sizes', async () => {
  const orders: Record<string, [string[], string[]]> = {
    'sort=name': [
      ['a/', 'd/'],
      ['b', 'c', 'e'],
    ],
    'sort=name&order=desc': [
      ['d/', 'a/'],
      ['e', 'c', 'b'],
    ],
    'sort=size': [
      ['d/', 'a/'],
      ['c', 'b', 'e'],
    ],
    'sort=size&order=desc': [
      ['a/', 'd/'],
      ['e', 'b', 'c'],
    ],
    'sort=modified': [
      ['a/', 'd/'],
      ['b', 'c', 'e'],
    ],
  }
  for (const [query, [folders, files]] of Object.entries(orders)) {
    const { json } = await call(`${url}/files?delimiter=/&${query}`)
    const prefixes = json.folders.map(({ prefix }: { prefix: string }) => prefix)
    assert.deepEqual([prefixes, namesOf(json.files)], [folders, files], query)
    assert.deepEqual([json.from, json.rows], [0, 5])
    assert.deepEqual(json.total, { files: 6, size: 70_046 })
  }
  const { json } = await call(`${url}/files?delimiter=/`)
  assert.deepEqual(json.folders[0], { prefix: 'a/', files: 2, size: 35 })
})

test('a window into the listing begins at any row, and cursors go on in every order', async () => {
  for (const query of ['sort=name', 'sort=size&order=desc', 'delimiter=/&sort=size']) {
    const whole = (await call(`${url}/files?${query}`)).json
    const rows = [...whole.folders, ...whole.files]
    const byCursor: unknown[] = []
    for (let next = ''; next !== undefined; ) {
      const cursor = next === '' ? '' : `&cursor=${next}`
      const page = (await call(`${url}/files?${query}&limit=2${cursor}`)).json
      assert.equal(page.from, byCursor.length)
      byCursor.push(...page.folders, ...page.files)
      next = page.next
    }
    assert.deepEqual(byCursor, rows, query)
    const window = (await call(`${url}/files?${query}&from=1&limit=3`)).json
    assert.deepEqual([...window.folders, ...window.files], rows.slice(1, 4), query)
  }
  const beyond = (await call(`${url}/files?from=1000`)).json
  assert.deepEqual([beyond.files, beyond.from, beyond.next], [[], 6, undefined])
})

test('all files come as lines, the totals in the first', async () => {
  const headers = { accept: 'application/x-ndjson', authorization: BASIC }
  const answer = await request(`${url}/files?limit=2`, { headers })
  assert.equal(answer.statusCode, 200)
  const [head, ...files] = (await answer.body.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(head.total, { files: 6, size: 70_046 })
  assert.deepEqual(namesOf(files), Object.keys(sizes))
})

test('a listing that did not change is not sent again, whichever gateway is asked', async () => {
  const { etag } = (await call(`${url}/files`)).headers
  const headers = { 'if-none-match': etag! }
  assert.equal((await call(`${otherUrl}/files`, { headers })).status, 304)
  await put(url, 'more', 3)
  const changed = await call(`${otherUrl}/files`, { headers })
  assert.deepEqual([changed.status, changed.json.files.length], [200, 7])
})

test('what changed since a listing is told by any gateway, and only that', async () => {
  const { change } = (await call(`${url}/files`)).json
  await put(otherUrl, 'new', 4)
  await put(url, 'b', 11)
  assert.equal((await call(`${otherUrl}/files/c`, { method: 'DELETE' })).status, 204)
  for (const gateway of [url, otherUrl]) {
    const { json } = await call(`${gateway}/files?since=${change}`)
    assert.deepEqual(namesOf(json.files).sort(), ['b', 'new'])
    assert.deepEqual([json.gone, json.reset], [['c'], false])
    const again = (await call(`${gateway}/files?since=${json.change}`)).json
    assert.deepEqual([again.files, again.gone, again.reset], [[], [], false])
  }
  const unknown = (await call(`${url}/files?since=AAAA`)).json
  assert.deepEqual([unknown.files, unknown.reset], [[], true])
})

test('listeners hear of changes, by this gateway and by the other', async () => {
  const answer = await request(`${url}/events`, { headers: { authorization: BASIC } })
  const events = filesEvents(answer.body.setEncoding('utf8'))
  const first = (await events.next()).value
  for (const gateway of [url, otherUrl]) {
    await put(gateway, 'heard', 1)
    let change = first
    while (change === first) change = (await events.next()).value
    const { json } = await call(`${url}/files`)
    while (change !== json.change) change = (await events.next()).value
  }
  answer.body.destroy()
})

/** The `change` of each `files` event. */
async function* filesEvents(source: AsyncIterable<string>): AsyncGenerator<string, never> {
  let text = ''
  for await (const part of source) {
    text += part
    const events = text.split('\n\n')
    text = events.pop()!
    for (const event of events) {
      const match = event.match(/^event: files\ndata: (.*)$/)
      if (match !== null) yield JSON.parse(match[1]!).change
    }
  }
  throw new Error('the events ended')
}

test('a listing comes compressed to who takes it so, and never beside what was looked for', async () => {
  for (let index = 0; index < 20; index++) await put(url, `packed/report ${index}`, 1)
  const send = async (path: string, headers: Record<string, string>) =>
    await call(`${url}${path}`, { headers })
  const json = '/files?prefix=packed/'
  const page = '/?folder=packed/'
  const isHtml = { accept: HTML }
  for (const [path, headers] of [
    [json, {}],
    [page, isHtml],
  ] as const) {
    const plain = await send(path, headers)
    assert.equal(plain.headers['content-encoding'], undefined)
    assert.equal(plain.headers.vary, 'accept-encoding')
    const refused = await send(path, { ...headers, 'accept-encoding': 'gzip;q=0, br' })
    assert.equal(refused.headers['content-encoding'], undefined)
    const packed = await send(path, { ...headers, 'accept-encoding': 'br, gzip' })
    assert.equal(packed.headers['content-encoding'], 'gzip')
    assert.equal(packed.headers.vary, 'accept-encoding')
    assert.equal(Number(packed.headers['content-length']), packed.body.length)
    assert.equal(gunzipSync(packed.body).toString(), plain.text)
    assert.ok(packed.body.length * 4 < plain.body.length)
  }
  const found = await send('/?q=report', { ...isHtml, 'accept-encoding': 'gzip' })
  assert.equal(found.headers['content-encoding'], undefined)
  assert.match(found.text, /report 19/)
})
