// Signing in with a cookie, the pages that work without scripts, and the guard against other
// sites' forms.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { call, FORM_TYPE, formBody, formBrowser, PASSWORD, USER } from './client.ts'

let cluster: TestCluster
let url: string

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser(USER, PASSWORD)
  url = cluster.urls[0]!
})

after(() => cluster[Symbol.asyncDispose]())

const browser = () => formBrowser(url)

async function signedIn() {
  const me = browser()
  const answer = await me.submit('/session', { user: USER, password: PASSWORD, next: '/' })
  assert.equal(answer.status, 303)
  return me
}

test('the page asks for a sign-in, and after it leads where the visitor wanted', async () => {
  const me = browser()
  const first = await me.send('/files/some%20file?download')
  assert.equal(first.status, 401)
  assert.match(first.headers['content-type']!, /^text\/html/)
  assert.match(first.text, /name="next" value="\/files\/some%20file\?download"/)
  const next = '/files/some%20file?download'
  const answer = await me.submit('/session', { user: 'Alice', password: PASSWORD, next })
  assert.equal(answer.status, 303)
  assert.equal(answer.headers.location, next)
  const set = String(answer.headers['set-cookie'])
  assert.match(set, /HttpOnly/i)
  assert.match(set, /SameSite=Strict/i)
  assert.match(set, /Max-Age=43200/)
  assert.doesNotMatch(set, /Secure/)
  assert.equal((await me.send('/')).status, 200)
})

test('a wrong password is told in one sentence that blames neither', async () => {
  const me = browser()
  const answer = await me.submit('/session', { user: USER, password: 'wrong', next: '/' })
  assert.equal(answer.status, 401)
  assert.match(answer.text, /That name and password don(&#39;|&#x27;|'|’)t match\./)
  assert.equal(me.cookie(), '')
  assert.doesNotMatch(answer.headers['www-authenticate'] ?? '', /basic/i)
})

test('scripts sign in with JSON', async () => {
  const body = JSON.stringify({ user: USER, password: PASSWORD })
  const headers = { 'content-type': 'application/json' }
  const options = { method: 'POST', body, headers, authorization: null } as const
  const answer = await call(`${url}/session`, options)
  assert.equal(answer.status, 200)
  assert.deepEqual(answer.json, { user: USER })
  assert.match(String(answer.headers['set-cookie']), /^fourfold=/)
  for (const wrong of ['{"user":"alice"}', '{"user":5,"password":"x"}', 'nonsense', '[]']) {
    const refused = await call(`${url}/session`, { ...options, body: wrong })
    assert.deepEqual([refused.status, refused.json.code], [400, 'BAD_REQUEST'], wrong)
  }
})

test('signing in never leads to another site', async () => {
  const fields = { user: USER, password: PASSWORD, next: '//evil.example/' }
  const answer = await browser().submit('/session', fields)
  assert.equal(answer.headers.location, '/')
})

test('another site can neither sign a browser in nor use its sign-in', async () => {
  const foreign = { origin: 'http://evil.example' }
  const fields = { user: USER, password: PASSWORD, next: '/' }
  const stranger = await browser().submit('/session', fields, foreign)
  assert.equal(stranger.status, 403)
  const me = await signedIn()
  for (const [method, path] of [
    ['PUT', '/files/x'],
    ['DELETE', '/files/x'],
    ['POST', '/files'],
    ['POST', '/delete?name=x'],
    ['POST', '/sign-out'],
    ['DELETE', '/session'],
  ] as const) {
    for (const headers of [foreign, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      const headersJson = { ...headers, accept: 'application/json' }
      const answer = await me.send(path, { method, headers: headersJson })
      assert.deepEqual(
        [answer.status, answer.json?.code],
        [403, 'ORIGIN_REFUSED'],
        `${method} ${path}`,
      )
    }
  }
  assert.equal((await me.send('/')).status, 200)
})

test('files go up by the form, are listed with a notice once, searched and paged', async () => {
  const me = await signedIn()
  const parts = Array.from({ length: 120 }, (_, index) => ({
    field: 'file',
    filename: `pages/${String(index).padStart(3, '0')}.txt`,
    content: 'x'.repeat(index),
  }))
  const answer = await me.send('/files?folder=walk', {
    method: 'POST',
    body: formBody(parts),
    headers: { 'content-type': FORM_TYPE },
  })
  assert.equal(answer.status, 303)
  assert.equal(answer.headers.location, '/?folder=walk%2F')
  const listing = await me.send('/?folder=walk/pages/')
  assert.match(listing.text, /120 files, 7\.1 kB, on all four nodes\./)
  assert.match(listing.text, /href="\/files\/walk\/pages\/000\.txt"/)
  assert.match(listing.text, /href="\/\?folder=walk%2Fpages%2F&(amp;)?page=2"/)
  assert.doesNotMatch(listing.text, /119\.txt/)
  assert.equal(listing.headers['cache-control'], 'no-store')
  const second = await me.send('/?folder=walk/pages/&page=2')
  assert.doesNotMatch(second.text, /on all four nodes\./)
  assert.match(second.text, /119\.txt/)
  assert.doesNotMatch(second.text, /page=3/)
  const bySize = await me.send('/?folder=walk/pages/&sort=size&dir=desc')
  assert.ok(bySize.text.indexOf('119.txt') < bySize.text.indexOf('118.txt'))
  assert.doesNotMatch(bySize.text, /001\.txt/)
  const found = await me.send('/?q=077')
  assert.match(found.text, /077\.txt/)
  assert.doesNotMatch(found.text, /078\.txt/)
  assert.match((await me.send('/')).text, /folder=walk%2F/)
})

test('names are shown as text, whatever is in them', async () => {
  const me = await signedIn()
  const name = '<img src=x onerror=alert(1)>"&\n.txt'
  await me.send(`/files/${encodeURIComponent(name)}`, { method: 'PUT', body: 'x' })
  const listing = await me.send('/')
  assert.doesNotMatch(listing.text, /<img src=x/)
  const page = await me.send(`/delete?name=${encodeURIComponent(name)}`)
  assert.equal(page.status, 200)
  assert.doesNotMatch(page.text, /<img src=x/)
  const done = await me.submit(`/delete?name=${encodeURIComponent(name)}`, {})
  assert.equal(done.status, 303)
  const after = await me.send('/')
  assert.match(after.text, /is deleted\./)
  assert.doesNotMatch(after.text, /<img src=x/)
  assert.equal((await me.send(`/delete?name=${encodeURIComponent(name)}`)).status, 404)
})

test('failures of forms are pages with the right status', async () => {
  const me = await signedIn()
  const empty = await me.send('/files', {
    method: 'POST',
    body: formBody([]),
    headers: { 'content-type': FORM_TYPE },
  })
  assert.equal(empty.status, 400)
  assert.match(empty.headers['content-type']!, /^text\/html/)
  assert.match(empty.text, /<h1>Nothing was uploaded<\/h1>/)
  assert.match(empty.text, /The form has no file\./)
  const nowhere = await me.send('/nowhere')
  assert.equal(nowhere.status, 404)
  assert.match(nowhere.text, /<!doctype html>/i)
})

test('a form that fails midway says what is stored, and leads back to its folder', async () => {
  const me = await signedIn()
  const answer = await me.send('/files?folder=mid%20way', {
    method: 'POST',
    body: formBody([
      { field: 'file', filename: 'kept <1>.txt', content: 'x' },
      { field: 'file', filename: 'a/../b', content: 'x' },
      { field: 'file', filename: 'never.txt', content: 'x' },
    ]),
    headers: { 'content-type': FORM_TYPE },
  })
  assert.equal(answer.status, 400)
  assert.match(answer.text, /<h1>Not all files were uploaded<\/h1>/)
  assert.match(answer.text, /1 file is stored all the same:/)
  assert.match(answer.text, /<li><bdi class="name">mid way\/kept &lt;1(>|&gt;)\.txt<\/bdi><\/li>/)
  assert.doesNotMatch(answer.text, /never\.txt/)
  assert.match(answer.text, /href="\/\?folder=mid%20way%2F">Back</)
  const listing = await me.send('/?folder=mid%20way%2F')
  assert.match(listing.text, /1 file, 1 B/)
})

test('a delete form that fails leads back to the folder of the file', async () => {
  const me = await signedIn()
  const answer = await me.submit('/delete?name=walk%2Fno%20such.txt', {})
  assert.equal(answer.status, 404)
  assert.match(answer.text, /<h1>There is no such file<\/h1>/)
  assert.match(answer.text, /href="\/\?folder=walk%2F">Back</)
  const opened = await me.send('/files/walk/no%20such.txt?folder=walk')
  assert.match(opened.text, /href="\/">Back</)
  for (const path of ['/delete', '/delete?name=%zz', '/delete?name=x&name=y', '/%zz', '/nowhere']) {
    const refused = await me.submit(path, {})
    assert.ok(refused.status === 400 || refused.status === 404, `${path}: ${refused.status}`)
    assert.match(refused.text, /">Back</, path)
  }
})

test('the notice of the longest name fits into the cookie, and says how it begins', async () => {
  const me = await signedIn()
  const name = `deep/${'\n😀'.repeat(203)}`
  const path = encodeURIComponent(name)
  await me.send(`/files/${path}`, { method: 'PUT', body: 'x' })
  const done = await me.submit(`/delete?name=${path}`, {})
  assert.equal(done.status, 303)
  assert.equal(done.headers.location, '/?folder=deep%2F')
  assert.ok(me.cookie().length < 2048, `${me.cookie().length} bytes`)
  const page = await me.send('/?folder=deep%2F')
  assert.match(page.text, /<bdi class="name">deep\/(↵😀){47}↵…<\/bdi> is deleted\./)
})

test('signing out ends it, by form and by script', async () => {
  const me = await signedIn()
  assert.equal((await me.submit('/sign-out', {})).status, 303)
  assert.equal(me.cookie(), '')
  assert.equal((await me.send('/files/x')).status, 401)
  const script = await signedIn()
  const answer = await script.send('/session', { method: 'DELETE' })
  assert.equal(answer.status, 204)
  assert.equal(script.cookie(), '')
})

test('a cookie that was changed or made up signs nobody in', async () => {
  const me = await signedIn()
  const [cipher = '', nonce = ''] = decodeURIComponent(me.cookie())
    .slice('fourfold='.length)
    .split(';')
  const changed = `${cipher.slice(0, -8)}AAAAAAA=;${nonce}`
  for (const value of [changed, 'x', ';', `;${nonce}`, 'a;b;c', '%00']) {
    const headers = { cookie: `fourfold=${encodeURIComponent(value)}` }
    const answer = await call(`${url}/files`, { headers, authorization: null })
    assert.deepEqual([answer.status, answer.json.code], [401, 'AUTH_REQUIRED'], value)
  }
})

test('a changed password ends the sign-ins that were made with the old one', async () => {
  await cluster.addUser('bob', 'old password')
  const me = browser()
  await me.submit('/session', { user: 'bob', password: 'old password', next: '/' })
  assert.equal((await me.send('/')).status, 200)
  const store = await cluster.store()
  const change = {
    user: 'bob',
    oldPassword: 'old password',
    newPassword: 'new password',
    address: 'x',
  }
  await store.accounts.changePassword(change)
  const answer = await me.send('/')
  assert.match(answer.text, /name="password"/)
  assert.equal(me.cookie(), '')
  const again = await me.submit('/session', { user: 'bob', password: 'new password', next: '/' })
  assert.equal(again.status, 303)
})

test('pages carry the policy of the design and load only what the gateway serves', async () => {
  const me = await signedIn()
  const page = await me.send('/')
  const policy = page.headers['content-security-policy']!.split(/; ?/).sort()
  assert.deepEqual(policy, [
    "base-uri 'none'",
    "connect-src 'self'",
    "default-src 'none'",
    "font-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    "require-trusted-types-for 'script'",
    "script-src 'self'",
    "style-src 'self'",
    'trusted-types svelte-trusted-html',
    "worker-src 'self'",
  ])
  assert.equal(page.headers['referrer-policy'], 'same-origin')
  const links = [...page.text.matchAll(/<link [^>]*href="([^"]+)"/g)].map(([, href]) => href!)
  assert.ok(links.length >= 2)
  for (const href of links) {
    const asset = await call(`${url}${href}`, { authorization: null })
    assert.equal(asset.status, 200, href)
    assert.match(asset.headers['cache-control']!, /immutable/)
  }
  const icon = await call(`${url}/favicon.ico`, { authorization: null })
  assert.equal(icon.status, 302)
  const outside = await call(`${url}/assets/..%2f..%2f.vite/manifest.json`, { authorization: null })
  assert.ok(outside.status >= 400, String(outside.status))
})

test('node states come as JSON and as events', async () => {
  const { json } = await call(`${url}/nodes`)
  assert.deepEqual(
    json.nodes.map((node: { name: string }) => node.name),
    ['DFS1', 'DFS2', 'DFS3', 'DFS4'],
  )
  assert.ok(json.nodes.every((node: { freeBytes: number }) => node.freeBytes > 0))
  const me = await signedIn()
  const stop = new AbortController()
  const events = await fetch(`${url}/events`, {
    headers: { cookie: me.cookie() },
    signal: stop.signal,
  })
  assert.equal(events.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  let text = ''
  const decoder = new TextDecoder()
  await cluster.nodes[0]!.kill()
  for await (const bytes of events.body!) {
    text += decoder.decode(bytes, { stream: true })
    if (/"name":"DFS1"[^}]*"health":"(down|connecting)"/.test(text)) break
  }
  stop.abort()
  assert.match(text, /^event: cluster\ndata: \{"nodes":/)
  await cluster.nodes[0]!.start()
})

test('the API describes itself: every route with a summary and its problems', async () => {
  const { json } = await call(`${url}/openapi.json`, { authorization: null })
  assert.equal(json.openapi, '3.1.0')
  const expected = [
    '/account/password',
    '/events',
    '/files',
    '/files/{name}',
    '/healthz',
    '/nodes',
    '/readyz',
    '/session',
    '/uploads',
    '/uploads/{id}',
    '/zip',
  ]
  assert.deepEqual(Object.keys(json.paths).sort(), expected)
  for (const [path, methods] of Object.entries<Record<string, { summary: string }>>(json.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      assert.ok(operation.summary, `${method} ${path}`)
    }
  }
  assert.ok(json.paths['/files/{name}'].put.responses['4XX'].content['application/problem+json'])
  assert.ok(json.paths['/files/{name}'].put.requestBody.content['*/*'])
})
