// The app's list as people use it: folders, search, order, choosing, renaming, deleting, looking at
// files and taking them along. Real Chromium under the page's own policy, gateway and nodes.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { expectNames, forgive, row, settled, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { type Site, startSite } from '../support/site.ts'

const HOUR_MS = 3_600_000
const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const EVIL = '<img src=x onerror="document.title=1">.txt'
const MARKDOWN = `# Plan\n\n- one\n- **two**\n\n<script>document.title = 'harmed'</script>\n
[here](https://example.com/) [not here](javascript:alert(1))\n\n\`\`\`js\nlet a = 1\n\`\`\`\n`

const FILES: [name: string, content: Buffer, type?: string][] = [
  ['a/deep/one.txt', Buffer.from('one'), 'text/plain'],
  ['a/two.txt', Buffer.from('two two'), 'text/plain'],
  ['dot.png', Buffer.from(PICTURE, 'base64'), 'image/png'],
  ['file 2.bin', seededBytes('2', 2000)],
  ['file 10.bin', seededBytes('10', 1000)],
  ['plan.md', Buffer.from(MARKDOWN)],
  ['server.ts', Buffer.from('const a: string = "b" // c\n')],
  [EVIL, Buffer.from('evil'), 'text/plain'],
]
const TOP = [EVIL, 'dot.png', 'file 2.bin', 'file 10.bin', 'plan.md', 'server.ts']

describe('files in the app', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
    for (const [index, [name, content, type]] of FILES.entries()) {
      const modifiedMs = Date.now() - index * 5 * HOUR_MS
      await site.put(name, content, { modifiedMs, ...(type === undefined ? {} : { type }) })
    }
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  test('are found in folders, by search, and in any order; the address tells which', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await expectNames(page, ['a', ...TOP])
    assert.equal(await row(page, 'a').locator('.copies-cell').innerText(), '2 files')
    assert.equal(await row(page, 'a').locator('.size-cell').innerText(), '10 B')
    assert.equal(await row(page, 'file 2.bin').locator('.copies-cell').innerText(), '2 copies')

    await page.getByRole('link', { name: 'a', exact: true }).click()
    await expectNames(page, ['deep', 'two.txt'])
    assert.equal(page.url(), `${site.url}/?folder=a%2F`)
    await page.getByRole('link', { name: 'deep', exact: true }).click()
    await expectNames(page, ['one.txt'])
    await page.locator('.crumbs').getByRole('link', { name: 'a', exact: true }).click()
    await expectNames(page, ['deep', 'two.txt'])
    await page.goBack()
    await page.goBack()
    await page.goBack()
    await expectNames(page, ['a', ...TOP])

    await page.getByRole('button', { name: 'Size' }).click()
    await expectNames(page, [
      'a',
      'file 2.bin',
      'file 10.bin',
      'plan.md',
      'dot.png',
      'server.ts',
      EVIL,
    ])
    assert.equal(new URL(page.url()).search, '?sort=size&dir=desc')
    await page.getByRole('button', { name: 'Modified' }).click()
    await expectNames(page, [
      'a',
      'dot.png',
      'file 2.bin',
      'file 10.bin',
      'plan.md',
      'server.ts',
      EVIL,
    ])
    await page.getByRole('button', { name: 'Name' }).click()

    await page.keyboard.press('/')
    await page.keyboard.type('DEEP')
    await expectNames(page, ['a/deep/one.txt'])
    assert.match(page.url(), /\?q=DEEP/)
    await page.reload()
    await expectNames(page, ['a/deep/one.txt'])
    await page.getByLabel('Search files').fill('no such name')
    await page.getByText('No file here has that in its name.').waitFor()
  })

  test('are chosen by mouse and by keys, one, many and all', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await row(page, 'dot.png').click({ position: { x: 400, y: 20 } })
    await page.locator('.big-ring .part').first().waitFor()
    assert.match(await page.locator('.note').innerText(), /^dot\.png/)
    await row(page, 'plan.md').click({ modifiers: ['Shift'], position: { x: 400, y: 20 } })
    await page.getByText('4 selected').waitFor()
    await row(page, 'file 2.bin').click({ modifiers: ['Control'], position: { x: 400, y: 20 } })
    await page.getByText('3 selected').waitFor()
    await page.keyboard.press('Escape')
    await page.getByText('selected').waitFor({ state: 'detached' })
    await page.getByLabel('Select server.ts').click()
    await page.getByText('1 selected').waitFor()
    await page.keyboard.press('Control+a')
    await page.getByText('7 selected').waitFor()
    await page.getByRole('button', { name: 'Clear selection' }).click()
    await page.keyboard.press('Home')
    await page.keyboard.press('Shift+ArrowDown')
    await page.keyboard.press('Shift+ArrowDown')
    await page.getByText('3 selected').waitFor()
  })

  test('are looked at: pictures, text, code, Markdown, of which nothing ever runs', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    const dialog = page.getByRole('dialog')
    await page.getByRole('link', { name: 'dot.png', exact: true }).click()
    const image = dialog.locator('img')
    const width = async () => (await image.evaluate((shown) => shown.clientWidth)) > 0
    assert.ok(await settled(async () => (await image.count()) === 1 && (await width())))
    await page.keyboard.press('ArrowRight')
    await dialog.getByText('This kind of file has no preview.').waitFor()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await dialog.getByRole('heading', { name: 'Plan' }).waitFor()
    assert.equal(await dialog.locator('li strong').innerText(), 'two')
    assert.match(await dialog.innerText(), /<script>document\.title = 'harmed'<\/script>/)
    assert.deepEqual(
      await dialog
        .locator('.markdown a')
        .evaluateAll((all) => all.map((a) => a.getAttribute('href'))),
      ['https://example.com/'],
    )
    await dialog.locator('.hljs-keyword', { hasText: 'let' }).waitFor()
    await page.keyboard.press('ArrowRight')
    await dialog.locator('.hljs-string', { hasText: '"b"' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: EVIL, exact: true }).click()
    await dialog.getByText('evil', { exact: true }).waitFor()
    assert.equal(await page.title(), 'All files – Fourfold')
  })

  test('tell where each of their parts is', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await page.getByRole('button', { name: 'More for dot.png' }).click()
    await page.getByRole('menuitem', { name: 'Details' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.locator('td.here').first().waitFor()
    assert.equal(await dialog.locator('td.here').count(), 8)
    const { md5 } = await site.store.stat(site.identity, 'dot.png')
    assert.match(await dialog.innerText(), new RegExp(md5))
    const x = Number.parseInt(md5.slice(-1), 16) % 4
    // The classic table: with x = 0 part 1 is on DFS1, and it moves on by one with each x.
    assert.equal(await dialog.locator('tbody tr').first().locator('td').nth(x).innerText(), 'Here')
  })

  test('get other names and folders, and never take the place of another unasked', async () => {
    await site.put('old name.txt', Buffer.from('kept'))
    await site.put('there/taken.txt', Buffer.from('first'))
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await row(page, 'old name.txt').click({ position: { x: 400, y: 20 } })
    await page.keyboard.press('F2')
    const field = page.getByLabel('New name')
    assert.equal(await field.evaluate((e: HTMLInputElement) => e.selectionEnd), 'old name'.length)
    await field.fill('there/taken.txt')
    await page.keyboard.press('Enter')
    await page.getByText('there/taken.txt is already here.').waitFor()
    await field.fill('there/new name.txt')
    await page.keyboard.press('Enter')
    await page.getByText('1 item moved.').first().waitFor()
    await expectNames(page, ['a', 'there', ...TOP])
    await row(page, 'there').click({ position: { x: 400, y: 20 } })
    await page.keyboard.press('F2')
    await field.fill('elsewhere')
    await page.keyboard.press('Enter')
    await expectNames(page, ['a', 'elsewhere', ...TOP])
    const { files } = await site.store.list(site.identity, { prefix: 'elsewhere/', limit: 10 })
    assert.deepEqual(files.map(({ name }) => name).sort(), [
      'elsewhere/new name.txt',
      'elsewhere/taken.txt',
    ])
    // A name that is taken is what 412 says.
    forgive(visitor, /412/)
  })

  test('are deleted only when the time to undo it is over, or the page is left', async () => {
    for (const name of ['x/1.txt', 'x/2.txt', 'x/3.txt']) await site.put(name, Buffer.from(name))
    await using visitor = await visitApp(browser, site, { path: '/?folder=x%2F' })
    const { page } = visitor
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Delete')
    await expectNames(page, ['2.txt', '3.txt'])
    await page.getByText('1 file deleted.').waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await expectNames(page, ['1.txt', '2.txt', '3.txt'])
    await page.keyboard.press('Home')
    await page.keyboard.press('Delete')
    await expectNames(page, ['2.txt', '3.txt'])
    await site.store.stat(site.identity, 'x/1.txt')
    await page.goto('about:blank')
    const isGone = () =>
      site.store.stat(site.identity, 'x/1.txt').then(
        () => false,
        () => true,
      )
    assert.ok(await settled(isGone), 'leaving the page deletes what waited')
    await visitor.open('/?folder=x%2F')
    await expectNames(page, ['2.txt', '3.txt'])
  })

  test('come as one archive where several are chosen, and alone as they are', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await page.getByLabel('Select a', { exact: true }).click()
    await page.getByLabel('Select file 2.bin').click()
    const archive = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download zip' }).click()
    const zip = await readFile(await (await archive).path())
    for (const name of ['a/deep/one.txt', 'a/two.txt', 'file 2.bin']) assert.ok(zip.includes(name))
    assert.ok(!zip.includes('plan.md'))
    await page.keyboard.press('Escape')
    await row(page, 'file 10.bin').click({ position: { x: 400, y: 20 } })
    const one = page.waitForEvent('download')
    await page.keyboard.press('d')
    const bytes = await readFile(await (await one).path())
    assert.ok(bytes.equals(seededBytes('10', 1000)))
  })

  test('that others put and delete come and go by themselves', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=live%2F' })
    const { page } = visitor
    await page.getByText('This folder is empty').waitFor()
    await site.put('live/news.txt', Buffer.from('news'))
    await expectNames(page, ['news.txt'])
    await site.store.remove(site.identity, { name: 'live/news.txt' })
    await page.getByText('This folder is empty').waitFor()
  })
})
