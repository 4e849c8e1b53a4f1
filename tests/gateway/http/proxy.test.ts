// The gateway behind a reverse proxy under a path of its own, and with its counters switched on.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { basic, call, PASSWORD, USER } from './client.ts'

const PUBLIC = 'https://files.example/store'

let cluster: TestCluster
let url: string

before(async () => {
  const lines = [`public_url = "${PUBLIC}"`, 'trust_proxy = true', 'metrics = true']
  const dfcConf = lines.map((line) => `gateway.${line}`).join('\n')
  cluster = await startCluster({ gateways: 1, dfcConf })
  await cluster.addUser(USER, PASSWORD)
  url = cluster.urls[0]!
})

after(() => cluster[Symbol.asyncDispose]())

const proxied = {
  host: '127.0.0.1',
  'x-forwarded-host': 'files.example',
  'x-forwarded-proto': 'https',
  'x-forwarded-for': '192.0.2.1, 198.51.100.7',
}

async function signIn(headers: Record<string, string>) {
  return call(`${url}/session`, {
    method: 'POST',
    body: new URLSearchParams({ user: USER, password: PASSWORD, next: '/store/?q=a' }).toString(),
    headers: {
      ...proxied,
      accept: 'text/html',
      'content-type': 'application/x-www-form-urlencoded',
      ...headers,
    },
    authorization: null,
  })
}

test('every address that leaves begins with the public path', async () => {
  const page = await call(`${url}/`, { headers: proxied, authorization: null })
  for (const [, path = ''] of page.text.matchAll(/(?:href|src|action)="([^"#]+)"/g)) {
    assert.match(path, /^\/store\//)
  }
  const answer = await signIn({ origin: 'https://files.example' })
  assert.equal(answer.status, 303)
  assert.equal(answer.headers.location, '/store/?q=a')
  assert.match(String(answer.headers['set-cookie']), /Path=\/store\/;.*Secure/)
  assert.match(answer.headers['strict-transport-security'] ?? '', /max-age=/)
  const stored = await call(`${url}/files/a`, { method: 'PUT', body: 'x', headers: proxied })
  assert.equal(stored.headers.location, '/store/files/a')
})

test('the origin of the public address is our own, the proxy’s inner one is not', async () => {
  const inner = await signIn({ origin: url })
  assert.equal(inner.status, 403)
})

test('a guesser behind the proxy slows down only its own address', async () => {
  const guess = (address: string, password: string) =>
    call(`${url}/files`, {
      headers: { ...proxied, 'x-forwarded-for': `${address}, 198.51.100.9` },
      authorization: basic(USER, password),
    })
  const startMs = performance.now()
  // The first address is what the client says of itself: changing it does not help.
  for (const last of [1, 2, 3]) assert.equal((await guess(`192.0.2.${last}`, 'wrong')).status, 401)
  assert.ok(performance.now() - startMs >= 700, 'three wrong tries cost less than 0.7 s')
})

test('counters are open where the conf says so, and name no user and no file', async () => {
  await call(`${url}/files/secret-name`)
  const answer = await call(`${url}/metrics`, { authorization: null })
  assert.equal(answer.status, 200)
  assert.match(
    answer.text,
    /fourfold_http_requests_total\{.*route="\/files\/\*",status="404"\} 1\n/,
  )
  assert.match(answer.text, /fourfold_node_up\{node="DFS4"\} 1\n/)
  assert.doesNotMatch(answer.text, /secret-name|alice/)
})
