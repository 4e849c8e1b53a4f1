// The page without scripts, from signing in to signing out, as a person with a browser walks
// through it. Real Chromium, gateway and nodes; nothing is asked of the gateway but by clicking.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Browser, clickedBytes, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { ROW, seededBytes } from '../support/content.ts'
import { PASSWORD, type Site, startSite, USER } from '../support/site.ts'

const DAY_MS = 24 * 3_600_000

/** How names look where they are shown; by default as they are. */
const SHOWN: Record<string, string> = { 'line\nbreak.bin': 'line↵break.bin' }
const FILES: Record<string, Buffer> = {
  '😀 "quoted", it\'s 100%25 <b>&amp;.bin': seededBytes('emoji', 1234),
  'empty.dat': Buffer.alloc(0),
  'three mebibytes.bin': seededBytes('three', 3 * ROW),
  'notes.txt': Buffer.from('Schöne Grüße\n'),
  'line\nbreak.bin': seededBytes('break', 5),
}

describe('the page without scripts', { skip }, () => {
  let browser: Browser
  let site: Site
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-browser-'))
    site = await startSite()
    browser = await startBrowser()
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  async function signedIn(): Promise<Visitor> {
    const visitor = await browser.visit(site)
    await visitor.signIn()
    return visitor
  }

  test('asks who is there, tells a wrong password in one sentence, and lets the right one in', async () => {
    await using visitor = await browser.visit(site)
    const { page } = visitor
    assert.equal((await visitor.open('/?folder=a%2F')).status(), 200)
    assert.equal(await page.title(), 'Sign in – Fourfold')
    await page.getByLabel('Name').fill('Alice')
    await page.getByLabel('Password').fill(`${PASSWORD}!`)
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.request().method() === 'POST'),
      page.keyboard.press('Enter'),
    ])
    assert.equal(answer.status(), 401)
    assert.equal(await page.getByRole('alert').innerText(), "That name and password don't match.")
    assert.equal(await page.getByLabel('Name').inputValue(), 'Alice')
    assert.equal(await page.getByLabel('Password').inputValue(), '')
    assert.deepEqual(await visitor.context.cookies(), [])
    await page.getByLabel('Password').fill(PASSWORD)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
    assert.equal(await page.locator('.user').innerText(), USER)
    assert.equal(page.url(), `${site.url}/?folder=a%2F`)
  })

  test('takes several files at once, lists them, and gives each back byte for byte', async () => {
    await using visitor = await signedIn()
    const { page } = visitor
    await page.getByRole('heading', { name: 'Nothing here yet' }).waitFor()
    const paths = await Promise.all(
      Object.entries(FILES).map(async ([name, bytes]) => {
        await writeFile(join(folder, name), bytes)
        return join(folder, name)
      }),
    )
    const from = Date.now()
    await page.getByLabel('Choose files to upload').setInputFiles(paths)
    await page.getByRole('button', { name: 'Upload', exact: true }).click()
    const notice = page.getByRole('status')
    assert.equal(await notice.innerText(), '5 files, 3.1 MB, on all four nodes.')

    const rows = await page.locator('tbody tr').all()
    const listed = await Promise.all(
      rows.map(async (row) => ({
        name: await row.locator('.name').innerText(),
        copies: await row.locator('.copies').innerText(),
        whole: await row.locator('.ring path.two').count(),
        size: await row.locator('.size-cell').innerText(),
        time: (await row.locator('time').getAttribute('datetime')) ?? '',
        shown: await row.locator('time').innerText(),
      })),
    )
    const sizes = Object.keys(FILES).map((name) => [SHOWN[name] ?? name, sizeOf(name)])
    sizes.sort(([a], [b]) => (a! < b! ? -1 : 1))
    assert.deepEqual(listed.map(({ name, size }) => [name, size]).sort(), sizes)
    for (const { name, copies, whole, time, shown } of listed) {
      assert.equal(copies.trim(), '2 copies', name)
      assert.equal(whole, 1, `${name}: the ring is whole`)
      const timeMs = Date.parse(time)
      assert.ok(Math.abs(timeMs - from) < DAY_MS, time)
      assert.equal(shown, time.slice(0, 16).replace('T', ' '), 'times are UTC, wherever one looks')
    }

    for (const [name, bytes] of Object.entries(FILES)) {
      const got = await clickedBytes(visitor, SHOWN[name] ?? name)
      assert.ok(got.equals(bytes), `${name}: ${got.length} bytes came back`)
      await visitor.open('/')
    }
    // The notice tells what has just happened, once.
    assert.equal(await notice.count(), 0)
  })

  test('asks before it deletes, keeps what is to be kept, and deletes what is not', async () => {
    for (const name of ['a/keep.txt', 'a/go "now".txt']) await site.put(name, Buffer.from(name))
    await using visitor = await signedIn()
    const { page } = visitor
    await visitor.open('/?folder=a%2F')
    await page.getByRole('link', { name: 'Delete keep.txt' }).click()
    assert.equal(await page.getByRole('heading').innerText(), 'Delete a/keep.txt?')
    await page.getByRole('link', { name: 'Keep it' }).click()
    assert.equal(page.url(), `${site.url}/?folder=a%2F`)
    assert.equal(await page.locator('tbody tr').count(), 2)
    await page.getByRole('link', { name: 'Delete go "now".txt' }).click()
    await page.getByRole('button', { name: 'Delete' }).click()
    assert.equal(await page.getByRole('status').innerText(), 'a/go "now".txt is deleted.')
    assert.equal(page.url(), `${site.url}/?folder=a%2F`)
    assert.deepEqual(await page.locator('tbody .name').allInnerTexts(), ['keep.txt'])
    const gone = await visitor.open('/files/a/go%20%22now%22.txt')
    assert.equal(gone.status(), 404)
    assert.match(await page.locator('main').innerText(), /no file/i)
    await page.getByRole('link', { name: 'Back' }).click()
    assert.equal(page.url(), `${site.url}/`)
  })

  test('signs out: the cookie is gone, and going back shows no file', async () => {
    await site.put('secret plans.txt', Buffer.from('secret'))
    await using visitor = await signedIn()
    const { page } = visitor
    await page.getByRole('link', { name: 'secret plans.txt', exact: true }).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    assert.deepEqual(await visitor.context.cookies(), [])
    await page.goBack()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    assert.doesNotMatch(await page.content(), /secret plans/)
    assert.equal((await visitor.open('/files/secret%20plans.txt')).status(), 401)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    assert.equal((await visitor.open('/')).status(), 200)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })

  test('says so where the form is sent without a file', async () => {
    await using visitor = await signedIn()
    const { page } = visitor
    // The browser itself holds back an empty form; one of another kind may not.
    await page.getByLabel('Choose files to upload').evaluate((input) => {
      input.removeAttribute('required')
    })
    await page.getByRole('button', { name: 'Upload', exact: true }).click()
    await page.getByRole('link', { name: 'Back' }).waitFor()
    assert.match(await page.locator('main').innerText(), /The form has no file\./)
  })
})

function sizeOf(name: string): string {
  const bytes = FILES[name]!.length
  return bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? '1.2 kB' : '3.1 MB'
}
