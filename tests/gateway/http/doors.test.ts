// Promise 7: no anonymous door but sign-in, health and what the sign-in page is made of.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import supertest from 'supertest'
import { startCluster, type TestCluster } from '../../support/cluster.ts'

/**
 * Paths of the interface that answer without credentials; sign-in and sign-out have their own
 * tests.
 */
const OPEN = new Set(['GET /healthz', 'GET /readyz', 'POST /session', 'DELETE /session'])

interface OpenApi {
  openapi: string
  paths: Record<string, Record<string, { summary?: string; responses: Record<string, unknown> }>>
}

let cluster: TestCluster
let gateway: ReturnType<typeof supertest>
let interfaceOf: OpenApi

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser('alice', 'alice-password')
  gateway = supertest(cluster.urls[0]!)
  interfaceOf = (await gateway.get('/openapi.json').expect(200)).body as OpenApi
})

after(() => cluster[Symbol.asyncDispose]())

function operations(): { name: string; method: string; path: string }[] {
  return Object.entries(interfaceOf.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      name: `${method.toUpperCase()} ${path}`,
      method,
      path,
    })),
  )
}

function send(method: string, path: string) {
  const filled = path.replace(/\{[^}]*\}/g, 'x')
  return gateway[method as 'get' | 'put' | 'post' | 'delete' | 'head'](filled)
}

test('the interface describes every face, with summaries and answers', () => {
  assert.match(interfaceOf.openapi, /^3\.1/)
  const names = operations().map(({ name }) => name)
  for (const [method, path] of [
    ['POST', '/files'],
    ['GET', '/files'],
    ['PUT', '/files/'],
    ['GET', '/files/'],
    ['DELETE', '/files/'],
    ['POST', '/session'],
    ['DELETE', '/session'],
    ['GET', '/nodes'],
    ['GET', '/healthz'],
    ['GET', '/readyz'],
  ]) {
    const isThere = names.some((name) => name.startsWith(`${method} ${path}`))
    assert.ok(isThere, `${method} ${path} among ${names.join(', ')}`)
  }
  for (const methods of Object.values(interfaceOf.paths)) {
    for (const { summary, responses } of Object.values(methods)) {
      assert.ok(summary)
      assert.ok(Object.keys(responses).length > 0)
    }
  }
})

test('without credentials every door but the open ones answers 401, with a wrong password too', async () => {
  const closed = operations().filter(({ name }) => !OPEN.has(name))
  assert.ok(closed.length >= 6)
  for (const { name, method, path } of closed) {
    const bare = await send(method, path)
    assert.equal(bare.status, 401, name)
    assert.match(String(bare.headers['www-authenticate']), /^Basic /, name)
    if (method !== 'head') assert.equal(bare.body.code, 'AUTH_REQUIRED', name)
  }
  const wrong = await send('get', '/files').auth('alice', 'another-password')
  assert.deepEqual([wrong.status, wrong.body.code], [401, 'AUTH_FAILED'])
})

test('health and readiness answer anybody, and tell no secrets', async () => {
  await gateway.get('/healthz').expect(200)
  const { body } = await gateway.get('/readyz').expect(200)
  assert.equal(body.uploads, true)
  assert.ok(!JSON.stringify(body).includes('127.0.0.1'))
})

test('unknown paths are 404 and known paths with other methods 405, as problems', async () => {
  const signedIn = (request: supertest.Test) => request.auth('alice', 'alice-password')
  const unknown = await signedIn(gateway.get('/no/such/path'))
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'NOT_FOUND'])
  assert.match(String(unknown.headers['content-type']), /^application\/problem\+json/)
  const wrong = await signedIn(gateway.patch('/nodes'))
  assert.deepEqual([wrong.status, wrong.body.code], [405, 'METHOD_NOT_ALLOWED'])
  assert.match(String(wrong.headers.allow), /GET/)
})
