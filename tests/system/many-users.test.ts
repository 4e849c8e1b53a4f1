// Many people at once: each has a file of the same name and gets back the own one; and one person who
// does a hundred things at once to one name ends with one of them, on all nodes alike.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Agent, type Dispatcher, request } from 'undici'
import type { Identity } from '../../gateway/dfs/identity.ts'
import type { Store } from '../../gateway/dfs/store.ts'
import { BASIC, basic, call } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { gathered, md5Hex, ROW, seededBytes } from '../support/content.ts'
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
const passwordOf = (user: string) => (user === 'alice' ? 'correct horse' : `password of ${user}`)

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

test('a hundred uploads of one name at once end with one of them, on all nodes alike', async (t) => {
  for (const size of [500, ROW + 500]) {
    const contents = Array.from({ length: 100 }, (_, index) => {
      return seededBytes(`contested ${size} ${index}`, size + index)
    })
    const path = `${url}/files/contested`
    const answers = await Promise.all(
      contents.map((body) => call(path, { method: 'PUT', body, authorization: BASIC })),
    )
    const counts = new Map<string, number>()
    for (const { status, json } of answers) {
      const key = `${status} ${json.code ?? ''}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    t.diagnostic(`${size} bytes: ${[...counts].map(([key, count]) => `${count} x ${key}`)}`)
    const stored = answers.flatMap(({ status, json }) => (status < 300 ? json.md5 : []))
    const final = await call(path)
    assert.ok(stored.includes(md5Hex(final.body)), 'the file is one whose upload was confirmed')
    assert.equal(final.headers.etag, `"${md5Hex(final.body)}"`)
  }
})
