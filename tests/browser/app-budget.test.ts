// What the app may cost: bytes before the first view, elements in the document however long the
// list, and nothing that jumps while it loads. A journey with the keyboard alone, and one under a
// path of another site's server.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { expectNames, settled, signInToApp, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser } from '../support/browser.ts'
import { PASSWORD, type Site, startSite, USER } from '../support/site.ts'

const DIST = new URL('../../web/dist/client/', import.meta.url)
const KIB = 1024
const MANY = 100_000

interface Built {
  file: string
  imports?: string[]
}

describe('the app', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
    await site.put('a folder/b.txt', Buffer.from('b'), { type: 'text/plain' })
    await site.put('first.bin', Buffer.from('first'))
    await site.put('second.bin', Buffer.from('second'))
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  test('begins with at most 32 KiB of script, 6 of style and 34 of font', async () => {
    const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', DIST), 'utf8'))
    const built = manifest as Record<string, Built>
    const first = new Set<string>()
    const add = (key: string) => {
      first.add(built[key]!.file)
      for (const next of built[key]!.imports ?? []) if (!first.has(built[next]!.file)) add(next)
    }
    add('app/main.ts')
    const bytesOf = async (file: string) => gzipSync(await readFile(new URL(file, DIST))).length
    let scriptBytes = 0
    for (const file of first) scriptBytes += await bytesOf(file)
    assert.ok(scriptBytes <= 32 * KIB, `${scriptBytes} bytes of script`)
    const styleBytes = await bytesOf(built['styles/main.css']!.file)
    assert.ok(styleBytes <= 6 * KIB, `${styleBytes} bytes of style`)
    const font = Object.entries(built).find(([key]) => /next-latin-wght-normal\.woff2$/.test(key))
    const { length } = await readFile(new URL(font![1].file, DIST))
    assert.ok(length <= 34 * KIB, `${length} bytes of font`)
  })

  test('is sent as at most 12 KiB of HTML, signed in or not, with a hundred files in it', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `many/report of week ${index}.pdf`)
    for (const name of names) await site.put(name, Buffer.from(name))
    await using visitor = await browser.visit({ url: site.url, isScriptless: true })
    const sizeOf = async (path: string) => {
      const { responseBodySize } = await (await visitor.open(path)).request().sizes()
      return responseBodySize
    }
    assert.ok((await sizeOf('/')) <= 12 * KIB, 'the form to sign in')
    await visitor.signIn()
    const sizeBytes = await sizeOf('/?folder=many%2F')
    assert.equal(await visitor.page.locator('tbody tr').count(), names.length)
    assert.ok(sizeBytes <= 12 * KIB, `${sizeBytes} bytes of HTML`)
    for (const name of names) await site.store.remove(site.identity, { name })
  })

  test('loads nothing that has no use yet, and nothing from elsewhere', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    const asked: string[] = []
    page.on('request', (one) => asked.push(one.url()))
    await visitor.open('/')
    await expectNames(page, ['a folder', 'first.bin', 'second.bin'])
    assert.deepEqual(
      asked.filter((url) => !url.startsWith(`${site.url}/`)),
      [],
    )
    assert.doesNotMatch(
      asked.join('\n'),
      /uploads\.svelte|Preview|Markdown|Details|Rename|Conflict/,
    )
  })

  test('does not move what is seen while it takes the page over', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await visitor.open('/')
    await expectNames(page, ['a folder', 'first.bin', 'second.bin'])
    await page.locator('.big-ring .node').first().waitFor()
    const shift = await page.evaluate<number>(`new Promise((resolve) => {
      let sum = 0
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) sum += entry.value
      }).observe({ type: 'layout-shift', buffered: true })
      setTimeout(() => resolve(sum), 300)
    })`)
    assert.ok(shift <= 0.05, `cumulative layout shift is ${shift}`)
  })

  test(`lists ${MANY} files with at most 1000 elements, and finds, sorts and reaches any`, async (t) => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    // The gateway's own shape; to store so many takes longer than a test may.
    const files = Array.from({ length: MANY }, (_, number) => ({
      ...{ name: `scan-${String(number).padStart(6, '0')}.pdf`, size: (number * 7919) % 1_000_003 },
      ...{ modified: new Date(1.7e12 + number * 1000).toISOString(), type: 'application/pdf' },
      ...{ md5: number.toString(16).padStart(32, '0'), copies: number % 1000 === 7 ? 254 : 255 },
    }))
    type File = (typeof files)[number]
    const total = { files: MANY, size: 1 }
    await page.route(/\/files\?/, (route) => {
      const query = new URL(route.request().url()).searchParams
      if (query.has('since')) return route.fulfill({ json: { files: [], gone: [], change: 'c' } })
      const from = Number(query.get('cursor') ?? 0)
      const to = from + Number(query.get('limit'))
      const next = to < MANY ? { next: String(to) } : {}
      const page = { files: files.slice(from, to), folders: [], total, change: 'c', ...next }
      return route.fulfill({ json: page })
    })
    const startMs = performance.now()
    await visitor.open('/')
    await page.getByText(`${MANY.toLocaleString('en')} files, `).waitFor()
    t.diagnostic(`loaded in ${Math.round(performance.now() - startMs)} ms`)
    const count = () => page.evaluate<number>("document.querySelectorAll('*').length")
    assert.ok((await count()) <= 1000, `${await count()} elements`)
    const timed = async (what: string, act: () => Promise<unknown>, name: string) => {
      const fromMs = performance.now()
      await act()
      await page.locator('.rows .name').first().getByText(name, { exact: true }).waitFor()
      t.diagnostic(`${what} in ${Math.round(performance.now() - fromMs)} ms`)
    }
    const larger = (most: File, file: File) => (file.size > most.size ? file : most)
    const largest = files.reduce(larger)
    const largestThin = files.filter(({ copies }) => copies < 255).reduce(larger)
    await timed('sorted', () => page.getByRole('button', { name: 'Size' }).click(), largest.name)
    await timed('found', () => page.getByLabel('Search files').fill('99999'), 'scan-099999.pdf')
    await page.getByLabel('Search files').fill('')
    const thin = page.getByRole('button', { name: /^One copy left/ })
    assert.equal(await thin.innerText(), `One copy left\n${MANY / 1000}`)
    await timed('filtered', () => thin.click(), largestThin.name)
    await page.getByRole('button', { name: /^All/ }).click()
    await page.getByRole('button', { name: 'Name', exact: true }).click()
    await page.keyboard.press('End')
    await page.getByRole('link', { name: 'scan-099999.pdf', exact: true }).waitFor()
    assert.ok((await count()) <= 1000, `${await count()} elements at the end`)
  })

  test('is used from sign-in to download with the keyboard alone', async () => {
    await using visitor = await browser.visit({ url: site.url, isScriptless: false })
    const { page } = visitor
    const { keyboard } = page
    await visitor.open('/')
    await page.locator('html.app').waitFor()
    const focus = () => page.evaluate<string>("document.activeElement?.id ?? ''")
    assert.ok(await settled(async () => (await focus()) === 'user'), 'the name has the focus')
    await keyboard.type(USER)
    await keyboard.press('Tab')
    await keyboard.type(PASSWORD)
    await keyboard.press('Enter')
    await expectNames(page, ['a folder', 'first.bin', 'second.bin'])
    await keyboard.press('ArrowDown')
    await keyboard.press('Enter')
    await expectNames(page, ['b.txt'])
    await keyboard.press('ArrowDown')
    await keyboard.press('Enter')
    await page.getByRole('dialog').getByText('b', { exact: true }).waitFor()
    await keyboard.press('Escape')
    await keyboard.press('Backspace')
    await expectNames(page, ['a folder', 'first.bin', 'second.bin'])
    await keyboard.press('/')
    await keyboard.type('second')
    await keyboard.press('Enter')
    const download = page.waitForEvent('download')
    await keyboard.press('d')
    assert.equal((await readFile(await (await download).path())).toString(), 'second')
  })

  test('works under a path of a server in front of the gateway', async () => {
    const server = createServer((incoming, outgoing) => {
      // As a proxy does that takes its own path off.
      const path = (incoming.url ?? '/').replace(/^\/store/, '') || '/'
      const { hostname, port } = new URL(under.url)
      const options = { hostname, port, path, method: incoming.method, headers: incoming.headers }
      const onward = request(options, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address() as { port: number }
    const origin = `http://127.0.0.1:${address.port}`
    await using under = await startSite({
      dfcConf: `gateway.public_url = "${origin}/store"`,
    })
    await under.put('deep/file.txt', Buffer.from('under a path'), { type: 'text/plain' })
    try {
      await using visitor = await browser.visit({ url: `${origin}/store`, isScriptless: false })
      const { page } = visitor
      await visitor.open('/')
      await signInToApp(page)
      await page.getByRole('link', { name: 'deep', exact: true }).click()
      await expectNames(page, ['file.txt'])
      assert.equal(page.url(), `${origin}/store/?folder=deep%2F`)
      await page.getByRole('link', { name: 'file.txt', exact: true }).click()
      await page.getByRole('dialog').getByText('under a path').waitFor()
      await page.keyboard.press('Escape')
      await page.locator('#choose-files').setInputFiles({
        ...{ name: 'up.bin', mimeType: 'application/octet-stream', buffer: Buffer.from('up') },
      })
      await expectNames(page, ['file.txt', 'up.bin'])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
