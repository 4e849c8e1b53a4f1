// What users put in does no harm to whoever looks at it, and the cookie is out of a script's reach.
// Scripts are on here: what is to be prevented must be possible.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Browser, clickedBytes, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { type Site, startSite } from '../support/site.ts'

const SCRIPT = "document.title = 'harmed'"
const EVIL_NAMES = [
  `<img src=x onerror="${SCRIPT}">.txt`,
  `"><svg onload="${SCRIPT}">.txt`,
  `javascript:${SCRIPT}`,
  '\u202Etxt.exe',
]
const SVG = `<svg xmlns="http://www.w3.org/2000/svg"><script>${SCRIPT}</script></svg>`
const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const HOUR_S = 3600

describe('users and their files', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  async function signedIn(): Promise<Visitor> {
    const visitor = await browser.visit({ url: site.url, isScriptless: false, isAppless: true })
    await visitor.signIn()
    return visitor
  }

  test('a sign-in leaves one cookie, for this site alone and not for scripts', async () => {
    await using visitor = await signedIn()
    const cookies = await visitor.context.cookies()
    assert.equal(cookies.length, 1)
    const [{ httpOnly, sameSite, path, expires }] = cookies as [(typeof cookies)[0]]
    assert.deepEqual(
      { httpOnly, sameSite, path },
      { httpOnly: true, sameSite: 'Strict', path: '/' },
    )
    const lifeS = expires - Date.now() / 1000
    assert.ok(lifeS > 11 * HOUR_S && lifeS < 13 * HOUR_S, `lives ${lifeS} s`)
    assert.equal(await visitor.page.evaluate('document.cookie'), '')
  })

  test('names that are written as scripts are shown and nothing more', async () => {
    for (const name of EVIL_NAMES) await site.put(`evil/${name}`, Buffer.from(name))
    await using visitor = await signedIn()
    const { page } = visitor
    await visitor.open('/?folder=evil%2F')
    const shown = await page.locator('tbody .name').allInnerTexts()
    const expected = EVIL_NAMES.map((name) => name.replace('\u202E', '\\u202e'))
    assert.deepEqual(shown.sort(), expected.sort())
    for (const name of EVIL_NAMES) {
      await visitor.open(`/?q=${encodeURIComponent(name)}`)
      assert.equal(await page.locator('tbody tr').count(), 1)
      await visitor.open(`/delete?name=${encodeURIComponent(`evil/${name}`)}`)
      assert.match(await page.title(), /^Delete evil\//)
      await page.getByRole('button', { name: 'Delete' }).click()
      await page.getByRole('status').waitFor()
      await visitor.open(`/files/${encodeURIComponent(name)}`)
      assert.notEqual(await page.title(), 'harmed')
    }
  })

  for (const [name, type, text] of [
    ['page.html', 'text/html', `<!doctype html><title>mine</title><script>${SCRIPT}</script>`],
    ['page.xhtml', 'application/xhtml+xml', SVG],
    ['drawing.svg', 'image/svg+xml', SVG],
    ['feed.xml', 'application/xml', SVG],
  ] as const) {
    test(`${name} is saved, not shown`, async () => {
      await using visitor = await signedIn()
      const { page } = visitor
      await page.getByLabel('Choose files to upload').setInputFiles({
        ...{ name, mimeType: type, buffer: Buffer.from(text) },
      })
      await page.getByRole('button', { name: 'Upload', exact: true }).click()
      await page.getByRole('status').waitFor()
      assert.equal((await clickedBytes(visitor, name)).toString(), text)
      assert.equal(page.url(), `${site.url}/`, 'the listing stays')
      assert.equal(await page.title(), 'All files – Fourfold')
    })
  }

  test('a script that came as text is shown as text', async () => {
    await site.put('page.txt', Buffer.from(SVG), { type: 'text/plain' })
    await using visitor = await signedIn()
    assert.equal((await clickedBytes(visitor, 'page.txt')).toString(), SVG)
    assert.equal(await visitor.page.locator('pre').innerText(), SVG)
    assert.notEqual(await visitor.page.title(), 'harmed')
  })

  test('a frame of a page, or a frame with a file, stays empty', async () => {
    await site.put('framed.txt', Buffer.from('framed'), { type: 'text/plain' })
    await using visitor = await signedIn()
    const { page } = visitor
    await page.route('http://other.invalid/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<iframe src="${site.url}/"></iframe><iframe src="${site.url}/files/framed.txt">`,
      }),
    )
    await page.goto('http://other.invalid/')
    await page.waitForLoadState('networkidle')
    const frames = page.frames().slice(1)
    assert.equal(frames.length, 2)
    for (const frame of frames) {
      assert.doesNotMatch(await frame.content(), /framed|Fourfold/)
    }
    // The browser says so twice, which is the point here.
    assert.ok(visitor.complaints.length > 0)
    visitor.complaints.length = 0
  })

  test('a picture is shown, and a sound can be played', async () => {
    await site.put('dot.png', Buffer.from(PICTURE, 'base64'), { type: 'image/png' })
    await site.put('tone.wav', silence(), { type: 'audio/wav' })
    await using visitor = await signedIn()
    const { page } = visitor
    await visitor.open('/files/dot.png')
    assert.equal(await page.evaluate('document.images[0].naturalWidth'), 1)
    await visitor.open('/files/tone.wav')
    await page.waitForFunction("document.querySelector('video')?.duration === 1")
  })
})

/** One second of 8-bit silence at 8 kHz, in a RIFF file. */
function silence(): Buffer {
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(8036, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(8000, 24)
  head.writeUInt32LE(8000, 28)
  head.writeUInt16LE(1, 32)
  head.writeUInt16LE(8, 34)
  head.write('data', 36)
  head.writeUInt32LE(8000, 40)
  return Buffer.concat([head, Buffer.alloc(8000, 128)])
}
