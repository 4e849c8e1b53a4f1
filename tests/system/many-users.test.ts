// Many people at once: each has a file of the same name and gets back the own one; and one person
// who does a hundred things at once to one name ends with one of them, on all nodes alike.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Agent, type Dispatcher, request } from 'undici'
import { NodeConnection } from '../../gateway/dfs/connection.ts'
import type { Identity } from '../../gateway/dfs/identity.ts'
import { fileIdOf } from '../../gateway/dfs/keys.ts'
import type { Store } from '../../gateway/dfs/store.ts'
import { basic, call, PASSWORD } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { inParallel } from '../support/watching.ts'

const CROWD = 200
const NAME = 'the same name.bin'

let cluster: TestCluster
let store: Store
let url: string

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  store = await cluster.store()
  url = cluster.urls[0]!
  const users = ['alice', ...Array.from({ length: CROWD }, (_, index) => userOf(index))]
  await inParallel(users, 8, (user) => store.accounts.add({ user, password: passwordOf(user) }))
})

after(() => cluster[Symbol.asyncDispose]())

const userOf = (index: number) => `user${index}`
const passwordOf = (user: string) => (user === 'alice' ? PASSWORD : `password of ${user}`)

/** Requests of one user, on connections of their own. */
function visitor(user: string) {
  const authorization = basic(user, passwordOf(user))
  const dispatcher = new Agent()
  const ask = async (path: string, options: Partial<Dispatcher.RequestOptions> = {}) => {
    const { method = 'GET', body = null } = options
    const headers = { authorization }
    const answer = await request(`${url}${path}`, { dispatcher, method, body, headers })
    return { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) }
  }
  return { ask, close: () => dispatcher.close() }
}

/** Small for most, some rows for every tenth. */
function contentOf(index: number): Buffer {
  const size = index % 10 === 9 ? ROW + 1000 + index : 100 + index * 37
  return seededBytes(`crowd ${index}`, size)
}

async function visit(index: number): Promise<void> {
  const { ask, close } = visitor(userOf(index))
  const path = `/files/${encodeURIComponent(NAME)}`
  const content = contentOf(index)
  const put = await ask(path, { method: 'PUT', body: content })
  assert.ok(put.status === 201 || put.status === 200, `${put.status} ${put.body}`)
  const listing = await ask('/files')
  const { files } = JSON.parse(listing.body.toString())
  const seen = files.map((file: { name: string; size: number; md5: string; state: string }) => {
    return [file.name, file.size, file.md5, file.state]
  })
  assert.deepEqual(seen, [[NAME, content.length, md5Hex(content), 'complete']])
  const got = await ask(path)
  assert.equal(got.status, 200, got.body.toString())
  assert.ok(got.body.equals(content), `user ${index} got the own file`)
  await close()
}

for (const count of [5, 50, CROWD]) {
  test(`${count} users at once each store, list and get a file of the same name`, async (t) => {
    const startMs = performance.now()
    await Promise.all(Array.from({ length: count }, (_, index) => visit(index)))
    t.diagnostic(`${Math.round(performance.now() - startMs)} ms`)
  })
}

/** What node `number` (1..4) has of a file: states and versions, oldest first. */
async function entriesOn(number: number, identity: Identity, name: string): Promise<string[]> {
  const { port } = cluster.nodes[number - 1]!
  const address = { index: number - 1, host: '127.0.0.1', port }
  await using connection = await NodeConnection.open(address, 10_000)
  const { header } = await connection.request({
    op: 'lookup',
    fields: { file: fileIdOf(identity.nameKey, name), withParts: false },
    as: { by: 'user', identity },
    timeoutMs: 10_000,
  })
  return header.entries.map(({ state, version, parts }) => {
    assert.ok(parts > 0)
    return `${state} ${Buffer.from(version).toString('hex')}`
  })
}

for (const size of [500, ROW + 500]) {
  test(`a hundred uploads of ${size} bytes to one name at once end with one of them`, async (t) => {
    const contents = Array.from({ length: 100 }, (_, index) => {
      return seededBytes(`contested ${size} ${index}`, size)
    })
    const path = `${url}/files/contested`
    const answers = await Promise.all(contents.map((body) => call(path, { method: 'PUT', body })))
    const statuses = Map.groupBy(answers, ({ status, json }) => `${status} ${json.code ?? ''}`)
    t.diagnostic([...statuses].map(([key, list]) => `${list.length} x ${key}`).join())
    for (const { status, text } of answers) assert.ok(status === 200 || status === 201, text)
    const final = await call(path)
    assert.ok(contents.some((content) => content.equals(final.body)))
    const identity = await store.signIn({ user: 'alice', password: PASSWORD, address: 'test' })
    const entries = await Promise.all(
      [1, 2, 3, 4].map((number) => entriesOn(number, identity, 'contested')),
    )
    for (const seen of entries) assert.deepEqual(seen, entries[0])
    assert.equal(entries[0]!.length, 1, `${entries[0]}`)
    assert.match(entries[0]![0]!, /^committed /)
  })
}

test('a hundred requests of all kinds for one name at once leave the gateway right', async (t) => {
  const path = `${url}/files/busy`
  const contents = Array.from({ length: 50 }, (_, index) => seededBytes(`busy ${index}`, 2000))
  await call(path, { method: 'PUT', body: contents[0]! })
  const answers = await Promise.all(
    contents.flatMap((body, index) => [
      call(path, { method: 'PUT', body }),
      index % 5 === 0 ? call(path, { method: 'DELETE' }) : call(path),
    ]),
  )
  const statuses = Map.groupBy(answers, ({ status, json }) => `${status} ${json?.code ?? ''}`)
  t.diagnostic([...statuses].map(([key, list]) => `${list.length} x ${key}`).join())
  for (const { status, body } of answers) {
    assert.ok([200, 201, 204, 404].includes(status), `${status} ${body}`)
    const isContent = status === 200 && body.length === 2000
    if (isContent) assert.ok(contents.some((content) => content.equals(body)))
  }
  assert.ok((await call(path, { method: 'PUT', body: 'the last' })).status < 300)
  assert.equal((await call(path)).text, 'the last')
})
