// Previews at their edges: what Markdown has beside text, pictures that are none, PDF in the
// browser's own reader, and files that cannot be opened now, which say why wherever one tries.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { expectNames, row, settled, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser } from '../support/browser.ts'
import { type Site, startSite } from '../support/site.ts'

const TASKS = '- [x] done\n- [ ] open\n\n| a | b |\n|---|---|\n| 1 | 2 |\n'
const PDF = `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 144]>>endobj
trailer<</Root 1 0 R>>
`

describe('previews in the app', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
    await site.put('tasks.md', Buffer.from(TASKS))
    await site.put('torn.png', Buffer.from('no picture'), { type: 'image/png' })
    await site.put('paper.pdf', Buffer.from(PDF), { type: 'application/pdf' })
    await site.put('torn.mp4', Buffer.from('no film'), { type: 'video/mp4' })
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  test('of Markdown have its tables, and its tasks with a tick and nothing of the brackets', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await page.getByRole('link', { name: 'tasks.md', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.locator('li').first().waitFor()
    assert.deepEqual(await dialog.locator('li').allInnerTexts(), ['☑ done', '☐ open'])
    assert.deepEqual(await dialog.locator('td').allInnerTexts(), ['1', '2'])
  })

  for (const name of ['torn.png', 'torn.mp4']) {
    test(`of ${name}, which no browser knows, say so and offer the download`, async () => {
      await using visitor = await visitApp(browser, site)
      const { page } = visitor
      await page.getByRole('link', { name, exact: true }).click()
      const dialog = page.getByRole('dialog')
      await dialog
        .getByText('This browser cannot show it. Downloading works all the same.')
        .waitFor()
      assert.equal(await dialog.locator('img, video').count(), 0)
      const download = page.waitForEvent('download')
      await dialog.getByRole('link', { name: 'Download' }).click()
      assert.equal((await download).suggestedFilename(), name)
    })
  }

  test("of PDF are the browser's own, in a tab of its own and inside the sandbox", async () => {
    await using visitor = await visitApp(browser, site)
    const { page, context } = visitor
    await page.getByRole('link', { name: 'paper.pdf', exact: true }).click()
    const [tab, answer] = await Promise.all([
      context.waitForEvent('page'),
      context.waitForEvent('response', (one) => one.url().endsWith('/files/paper.pdf')),
      page.getByRole('link', { name: 'Open in a new tab' }).click(),
    ])
    assert.equal(answer.headers()['content-type'], 'application/pdf')
    assert.match(answer.headers()['content-disposition'] ?? '', /^inline/)
    // Chromium's reader puts a dark page of its own around what it shows, or, in newer versions, a
    // page with its own style sheet; its frame is hidden from tests.
    const around = /background-color: ?rgb\(40, ?40, ?40\)|chrome-extension:[^"]+pdf_embedder\.css/
    const isShown = async () => around.test(await tab.content())
    assert.ok(await settled(isShown), await tab.content())
  })

  test('say why a file is out of reach: to the key, in the card, and before an archive', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await expectNames(page, ['paper.pdf', 'tasks.md', 'torn.mp4', 'torn.png'])
    await site.withDown([3, 4], async () => {
      await row(page, 'paper.pdf').getByText('Needs DFS3 or DFS4').waitFor()
      const why = /Part \d is out of reach\. The file opens again with DFS3 or DFS4\.$/
      await row(page, 'paper.pdf').click({ position: { x: 400, y: 20 } })
      await page.locator('.note').getByText(why).waitFor()
      await page.keyboard.press('Enter')
      await page.locator('.toast').getByText(why).waitFor()
      assert.equal(await page.getByRole('dialog').count(), 0)
      await page.keyboard.press('Control+a')
      await page.getByRole('button', { name: 'Download zip' }).click()
      await page.getByText(/^4 files cannot be opened now\. Part \d is out of reach\./).waitFor()
      assert.equal(page.url(), `${site.url}/`)
      // How much there is room for is still told, by the nodes that answer.
      await page.getByRole('meter', { name: 'Storage used' }).waitFor()
    })
  })
})
