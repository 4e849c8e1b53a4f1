// The listing without scripts as files become many: folders, search, order and pages, by links and
// one field.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Browser, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { type Site, startSite } from '../support/site.ts'

const DAY_MS = 24 * 3_600_000
const NOW_MS = Date.UTC(2026, 10, 22, 9, 26)
/** In `many/`: enough for three pages, the folder among them. */
const MANY_COUNT = 230
const PAGE_COUNT = 100
const OTHERS = ['many/inner/deep.txt', 'Übung & Lösung/a b.txt', 'Übung & Lösung/x/100%.txt']
const AT_ONCE = 10

describe('a listing of many files', { skip }, () => {
  let browser: Browser
  let site: Site
  const manyNames = Array.from({ length: MANY_COUNT }, (_, index) => `file-${1000 + index}.dat`)

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
    // The later in the alphabet, the smaller and the older.
    const files = manyNames.map((name, index) => ({
      name: `many/${name}`,
      bytes: seededBytes(name, MANY_COUNT - index),
      modifiedMs: NOW_MS - index * DAY_MS,
    }))
    for (const name of OTHERS) files.push({ name, bytes: Buffer.from(name), modifiedMs: NOW_MS })
    for (let at = 0; at < files.length; at += AT_ONCE) {
      const some = files.slice(at, at + AT_ONCE)
      await Promise.all(
        some.map(({ name, bytes, modifiedMs }) => site.put(name, bytes, { modifiedMs })),
      )
    }
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  async function signedIn(path: string): Promise<Visitor> {
    const visitor = await browser.visit(site)
    await visitor.signIn()
    await visitor.open(path)
    return visitor
  }

  /** Of the whole page: a click is over as soon as its first bytes are there. */
  const names = async ({ page }: Visitor) => {
    await page.waitForLoadState('domcontentloaded')
    return await page.locator('tbody .name').allInnerTexts()
  }
  const follow = ({ page }: Visitor, name: string) =>
    page.getByRole('link', { name, exact: true }).click()

  test('folders are opened, counted, and left by the way that one came', async () => {
    await using visitor = await signedIn('/')
    const { page } = visitor
    assert.deepEqual(await names(visitor), ['many', 'Übung & Lösung'])
    const row = page.locator('tbody tr').first()
    assert.match(await row.innerText(), /231 files\s+26\.6 kB/)
    await follow(visitor, 'Übung & Lösung')
    assert.equal(await page.getByRole('heading').innerText(), 'Übung & Lösung')
    assert.deepEqual(await names(visitor), ['x', 'a b.txt'])
    await follow(visitor, 'x')
    assert.deepEqual(await names(visitor), ['100%.txt'])
    assert.deepEqual(await page.locator('.crumbs li').allInnerTexts(), [
      'All files',
      'Übung & Lösung',
    ])
    await page.locator('.crumbs').getByRole('link', { name: 'Übung & Lösung' }).click()
    assert.deepEqual(await names(visitor), ['x', 'a b.txt'])
    await follow(visitor, 'All files')
    assert.equal(page.url(), `${site.url}/`)
  })

  test('what is uploaded in a folder stays in it', async () => {
    await using visitor = await signedIn('/?folder=%C3%9Cbung%20%26%20L%C3%B6sung%2Fx%2F')
    const { page } = visitor
    await page.getByLabel('Choose files to upload').setInputFiles([
      { name: 'new.txt', mimeType: 'text/plain', buffer: Buffer.from('new') },
      { name: 'newer.txt', mimeType: 'text/plain', buffer: Buffer.from('newer') },
    ])
    await page.getByRole('button', { name: 'Upload', exact: true }).click()
    await page.getByRole('status').waitFor()
    assert.equal(await page.getByRole('heading').innerText(), 'x')
    assert.deepEqual(await names(visitor), ['100%.txt', 'new.txt', 'newer.txt'])
    for (const name of ['new.txt', 'newer.txt']) {
      const file = await site.store.stat(site.identity, `Übung & Lösung/x/${name}`)
      assert.equal(file.state, 'complete')
      await site.store.remove(site.identity, { name: file.name })
    }
  })

  test('a search finds names anywhere, with whole paths, and says where there are none', async () => {
    await using visitor = await signedIn('/')
    const { page } = visitor
    const search = async (text: string) => {
      await page.getByRole('searchbox').fill(text)
      await page.keyboard.press('Enter')
      await page.waitForURL((url) => url.searchParams.get('q') === text)
    }
    await search('100%')
    assert.deepEqual(await names(visitor), ['Übung & Lösung/x/100%.txt'])
    assert.equal(await page.getByRole('heading').innerText(), 'Names with “100%”')
    assert.equal(await page.getByRole('searchbox').inputValue(), '100%')
    await search('DEEP')
    assert.deepEqual(await names(visitor), ['many/inner/deep.txt'])
    await search('"<b>& nothing')
    assert.deepEqual(await names(visitor), [])
    await page.getByRole('heading', { name: 'No file has that in its name' }).waitFor()
    await follow(visitor, 'Show all files')
    assert.equal(page.url(), `${site.url}/`)
  })

  test('a click on a head sorts by it, a second one the other way round', async () => {
    await using visitor = await signedIn('/?q=file-11')
    const { page } = visitor
    const byName = manyNames.filter((name) => name.startsWith('file-11'))
    const shown = async () =>
      (await names(visitor)).map((name) => name.replace('many/', '')).slice(0, 100)
    assert.deepEqual(await shown(), byName)
    const ascending = page.locator('[aria-sort="ascending"]')
    const descending = page.locator('[aria-sort="descending"]')
    for (const head of ['Size', 'Modified']) {
      // The greatest and the newest first: those are the first by name.
      await follow(visitor, head)
      assert.equal(await descending.innerText(), head)
      assert.deepEqual(await shown(), byName)
      await follow(visitor, head)
      assert.equal(await ascending.innerText(), head)
      assert.deepEqual(await shown(), byName.toReversed())
    }
    await follow(visitor, 'Name')
    assert.deepEqual(await shown(), byName)
    await follow(visitor, 'Name')
    assert.equal(await descending.innerText(), 'Name')
    assert.deepEqual(await shown(), byName.toReversed())
    assert.equal(await page.getByRole('searchbox').inputValue(), 'file-11', 'still the search')
  })

  for (const query of ['', '&sort=size&dir=asc']) {
    test(`more than a hundred come in pages, forth and back${query && ', also sorted'}`, async () => {
      await using visitor = await signedIn(`/?folder=many%2F${query}`)
      const { page } = visitor
      const expected = query === '' ? manyNames : manyNames.toReversed()
      assert.match(await page.locator('.head').innerText(), /231 files, 26\.6 kB/)
      const pages = [await names(visitor)]
      while ((await page.getByRole('link', { name: 'Next page' }).count()) > 0) {
        await follow(visitor, 'Next page')
        pages.push(await names(visitor))
      }
      assert.deepEqual(
        pages.map(({ length }) => length),
        [PAGE_COUNT, PAGE_COUNT, MANY_COUNT + 1 - 2 * PAGE_COUNT],
      )
      const isFile = (name: string) => name !== 'inner'
      assert.deepEqual(pages.flat().filter(isFile), expected)
      assert.equal(pages.flat().length, MANY_COUNT + 1, 'the folder is there once')
      for (const wanted of pages.toReversed().slice(1)) {
        await follow(visitor, 'Previous page')
        assert.deepEqual(await names(visitor), wanted)
      }
      assert.equal(await page.getByRole('link', { name: 'Previous page' }).count(), 0)
    })
  }

  test('an address that was mistyped shows a listing all the same', async () => {
    await using visitor = await signedIn('/?folder=none&sort=colour&dir=up&page=-7')
    assert.deepEqual(await names(visitor), [])
    await visitor.page.getByRole('heading', { name: 'This folder is empty' }).waitFor()
    assert.equal((await visitor.open('/?page=99999')).status(), 200)
    assert.equal((await visitor.open('/nowhere')).status(), 404)
    await visitor.page.getByRole('link', { name: 'Back' }).click()
    assert.deepEqual(await names(visitor), ['many', 'Übung & Lösung'])
  })
})
