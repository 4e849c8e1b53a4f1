// The whole site below a path of a reverse proxy, which takes the path away or leaves it: every
// address that a page, a redirect or an answer names is below it and works, and so does every form.
import assert from 'node:assert/strict'
import { createServer, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import yauzl from 'yauzl'
import { baseRemover } from '../../../gateway/http/base-path.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { basic, call, FORM_TYPE, formBody, formBrowser, PASSWORD } from './client.ts'

const BASE = '/files-store/deep'

let cluster: TestCluster

before(async () => {
  cluster = await startCluster()
  for (const user of ['alice', 'bob']) await cluster.addUser(user, PASSWORD)
})

after(() => cluster?.[Symbol.asyncDispose]())

/** Serves what is below BASE from `target.url`; anything else is another site's. */
async function startProxy(target: { url: string }, isStripping: boolean): Promise<Server> {
  const server = createServer((request, response) => {
    const { url = '/', method, headers } = request
    if (!url.startsWith(`${BASE}/`)) {
      response.writeHead(421).end(`${url} is not below ${BASE}`)
      return
    }
    const path = isStripping ? url.slice(BASE.length) : url
    const inner = httpRequest(target.url + path, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    inner.on('error', () => response.destroy())
    request.pipe(inner)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** What a page links to, loads, or sends forms to. */
function addressesIn(html: string): string[] {
  const found = html.matchAll(/\s(?:href|src|action)="([^"]*)"/g)
  return [...found].map(([, address]) => address!.replaceAll('&amp;', '&'))
}

for (const isStripping of [true, false]) {
  describe(`behind a proxy that ${isStripping ? 'takes the path away' : 'leaves the path'}`, () => {
    const user = isStripping ? 'alice' : 'bob'
    const authorization = basic(user, PASSWORD)
    let proxy: Server
    let origin: string
    let url: string

    before(async () => {
      const target = { url: '' }
      proxy = await startProxy(target, isStripping)
      origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
      url = origin + BASE
      const confFile = await cluster.confWith(`gateway.public_url = "${url}/"`)
      target.url = await cluster.startGateway(confFile)
    })
    after(() => {
      proxy.closeAllConnections()
      proxy.close()
    })

    test('every page is reached by links and forms that stay below the path', async () => {
      const me = formBrowser(url)
      const opened = new Set<string>()
      /** Opens all that a page names, but what changes something. */
      const follow = async (html: string): Promise<void> => {
        for (const address of addressesIn(html)) {
          const path = address.split('#')[0]!
          if (path === '' || path.startsWith('data:') || opened.has(path)) continue
          opened.add(path)
          assert.ok(path.startsWith(`${BASE}/`), `${address} leaves the path`)
          if (/\/(session|zip|sign-out|account\/password)$/.test(path)) continue
          const answer = await me.send(path.slice(BASE.length))
          assert.ok(answer.status === 200 || answer.status === 303, `${path}: ${answer.status}`)
          if (answer.headers['content-type']?.startsWith('text/html')) await follow(answer.text)
          if (path.endsWith('.css')) await checkStyles(path, answer.text)
        }
      }
      const checkStyles = async (path: string, css: string): Promise<void> => {
        for (const [, address] of css.matchAll(/url\(([^)]+)\)/g)) {
          const font = new URL(address!, `${origin}${path}`)
          assert.ok(font.pathname.startsWith(`${BASE}/assets/`))
          assert.equal((await call(font.href, { authorization: null })).status, 200)
        }
      }
      const first = await me.send('/?q=x')
      assert.match(first.text, new RegExp(`name="next" value="${BASE}/\\?q=x"`))
      assert.match(first.text, new RegExp(`<html [^>]*data-base="${BASE}"`))
      await follow(first.text)
      const fields = { user, password: PASSWORD, next: `${BASE}/` }
      const signIn = await me.submit('/session', fields)
      assert.deepEqual([signIn.status, signIn.headers.location], [303, `${BASE}/`])
      assert.match(String(signIn.headers['set-cookie']), new RegExp(`Path=${BASE}/;`))
      const body = formBody([{ field: 'file', filename: 'in/a.txt', content: 'text' }])
      const headers = { 'content-type': FORM_TYPE }
      const upload = await me.send('/files', { method: 'POST', body, headers })
      assert.equal(upload.headers.location, `${BASE}/`)
      await follow((await me.send('/')).text)
      for (const page of [
        'rename?name=in%2Fa.txt',
        'delete?name=in%2Fa.txt',
        'account',
        'assets/',
      ]) {
        const isSeen = [...opened].some((path) => path.startsWith(`${BASE}/${page}`))
        assert.ok(isSeen, `${page} was found: ${[...opened].join(' ')}`)
      }
      const missing = await me.send('/nowhere')
      assert.deepEqual(
        [
          missing.status,
          addressesIn(missing.text).every(
            (path) => path.startsWith('#') || path.startsWith(`${BASE}/`),
          ),
        ],
        [404, true],
      )
    })

    test('forms rename, pack and delete, and lead back below the path', async () => {
      const me = formBrowser(url)
      await me.submit('/session', { user, password: PASSWORD, next: `${BASE}/` })
      const put = await call(`${url}/files/on%0Ae`, { method: 'PUT', body: '1', authorization })
      assert.equal(put.headers.location, `${BASE}/files/on%0Ae`)
      const zip = await me.submit('/zip', [['paths', 'on%0Ae']])
      const archive = await yauzl.fromBufferPromise(zip.body)
      for await (const { fileName } of archive.eachEntry()) assert.equal(fileName, 'on_e')
      assert.equal(archive.entryCount, 1)
      const rename = (to: string, more = {}) => me.submit('/rename?name=on%0Ae', { to, ...more })
      const form = await me.send('/rename?name=on%0Ae')
      assert.match(form.text, new RegExp(`action="${BASE}/rename\\?name=on%0Ae"`))
      assert.equal((await rename('../up')).status, 400)
      await call(`${url}/files/two/taken`, { method: 'PUT', body: '2', authorization })
      const taken = await rename('two/taken')
      assert.equal(taken.status, 412)
      assert.match(taken.text, /name="replace"/)
      assert.match(taken.text, /There is a file of that name already\./)
      const renamed = await rename('two/taken', { replace: 'yes' })
      assert.deepEqual([renamed.status, renamed.headers.location], [303, `${BASE}/?folder=two%2F`])
      assert.match((await me.send('/?folder=two%2F')).text, /<\/bdi> is now <bdi/)
      assert.equal((await me.send('/files/two/taken')).text, '1')
      const folder = await me.submit('/rename?name=two%2F', { to: 'three/four' })
      assert.equal(folder.headers.location, `${BASE}/?folder=three%2F`)
      const gone = await me.submit('/delete?name=three%2Ffour%2Ftaken', {})
      assert.equal(gone.headers.location, `${BASE}/?folder=three%2Ffour%2F`)
      const out = await me.submit('/sign-out', {})
      assert.equal(out.headers.location, `${BASE}/`)
      assert.equal(me.cookie(), '')
    })

    test('programs find what was made below the path, and other origins are refused', async () => {
      const tus = { 'tus-resumable': '1.0.0', 'upload-length': '3' }
      const filename = Buffer.from('t.txt').toString('base64')
      const headers = { ...tus, 'upload-metadata': `filename ${filename}` }
      const made = await call(`${url}/uploads`, { method: 'POST', headers, authorization })
      const location = new URL(made.headers.location!, url)
      assert.ok(location.href.startsWith(`${url}/uploads/`), location.href)
      const head = await call(location.href, { method: 'HEAD', headers: tus, authorization })
      assert.equal(head.headers['upload-offset'], '0')
      const json = { 'content-type': 'application/json' }
      const body = JSON.stringify({ name: 'b' })
      await call(`${url}/files/a`, { method: 'PUT', body: 'x', authorization })
      const moved = await call(`${url}/files/a`, {
        method: 'PATCH',
        body,
        headers: json,
        authorization,
      })
      assert.equal(moved.headers['content-location'], `${BASE}/files/b`)
      const { json: api } = await call(`${url}/openapi.json`)
      assert.equal(api.servers[0].url.replace(/\/$/, ''), url)
      const me = formBrowser(url)
      const fields = { user, password: PASSWORD, next: '/elsewhere' }
      const foreign = await me.submit('/session', fields, { origin: 'http://127.0.0.1:1' })
      assert.equal(foreign.status, 403)
      assert.equal((await me.submit('/session', fields)).headers.location, `${BASE}/`)
    })
  })
}

test('the path is taken from an address once, and never where it could be our own', () => {
  const cases: [base: string, target: string, rest: string][] = [
    ['', '/files/a', '/files/a'],
    ['/store', '/store/files/a?b', '/files/a?b'],
    ['/store', '/files/store/a', '/files/store/a'],
    ['/store', '/store', '/'],
    ['/store', '/store?q=1', '/?q=1'],
    ['/store', '/stores/a', '/stores/a'],
    ['/store', '/store/store/a', '/store/a'],
    ['/files', '/files/files/a', '/files/files/a'],
  ]
  for (const [base, target, rest] of cases) assert.equal(baseRemover(base)(target), rest, target)
})
