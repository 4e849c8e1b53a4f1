// What may be lost when a page is left: asked about while uploads are under way and only then,
// never for an archive, and nothing of one person's for the next one who signs in on the same page.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { expectNames, forgive, settled, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { stopGateway } from '../support/gateway-again.ts'
import { PASSWORD, type Site, startSite } from '../support/site.ts'

const MIB = 1_048_576
const SLOW_BYTES_PER_SECOND = MIB

describe('leaving the app', { skip }, () => {
  let browser: Browser
  let site: Site
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-leaving-'))
    site = await startSite()
    browser = await startBrowser()
    await site.put('a.txt', Buffer.from('a'), { type: 'text/plain' })
    await site.put('a (2).txt', Buffer.from('a'), { type: 'text/plain' })
    await site.put('b.txt', Buffer.from('b'), { type: 'text/plain' })
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  /** An upload that is on its way for as long as a test lasts; answers what ends the slowness. */
  async function beginUpload({ page, context }: Visitor, name: string) {
    const session = await context.newCDPSession(page)
    const set = (uploadThroughput: number) =>
      session.send('Network.emulateNetworkConditions', {
        ...{ offline: false, latency: 0, downloadThroughput: -1, uploadThroughput },
      })
    await set(SLOW_BYTES_PER_SECOND)
    const path = join(folder, name)
    await writeFile(path, seededBytes(name, 24 * MIB))
    await page.locator('#choose-files').setInputFiles(path)
    await page
      .getByText(/^[1-9][\d.]* MB of/)
      .first()
      .waitFor()
    return () => set(-1)
  }

  /** Kinds of the browser's own dialogs; each is answered with "Stay". */
  function dialogsOf(page: Page): string[] {
    const kinds: string[] = []
    page.on('dialog', (dialog) => {
      kinds.push(dialog.type())
      void dialog.dismiss()
    })
    return kinds
  }

  test('asks only while an upload is under way, and an archive is not leaving', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    const dialogs = dialogsOf(page)
    await page.reload()
    await expectNames(page, ['a (2).txt', 'a.txt', 'b.txt'])
    assert.deepEqual(dialogs, [], 'nothing would be lost')
    await beginUpload(visitor, 'large.bin')
    await page.close({ runBeforeUnload: true })
    assert.ok(await settled(async () => dialogs.join() === 'beforeunload'))
    await page.getByLabel('Select a.txt').click()
    await page.getByLabel('Select b.txt').click()
    const archive = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download zip' }).click()
    assert.equal((await archive).suggestedFilename(), 'fourfold.zip')
    await page.getByRole('heading', { name: 'Uploading 1 of 1' }).waitFor()
    assert.equal(dialogs.length, 1, 'an archive is saved, the page stays')
    await page.getByRole('button', { name: 'Cancel all' }).click()
  })

  test('tells in the title and aloud how far uploads are', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=told%2F' })
    const { page } = visitor
    await page.evaluate(`(() => {
      globalThis.spoken = []
      new MutationObserver(() => {
        const text = document.querySelector('p.unseen[role=status]')?.textContent
        if (text && spoken.at(-1) !== text) spoken.push(text)
      }).observe(document.body, { childList: true, subtree: true, characterData: true })
    })()`)
    const release = await beginUpload(visitor, 'spoken.bin')
    await settled(async () => /^(2[5-9]|[3-9]\d)% /.test(await page.title()))
    await release()
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    await settled(async () =>
      (await page.evaluate<string[]>('spoken')).includes('1 file uploaded.'),
    )
    const spoken = await page.evaluate<string[]>('spoken')
    assert.deepEqual(spoken.slice(0, 2), ['Uploading 1 file.', '25% uploaded.'])
    assert.equal(spoken.at(-1), '1 file uploaded.')
  })

  test('keeps both under the name that it said before', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    const path = join(folder, 'a.txt')
    await writeFile(path, 'another')
    await page.locator('#choose-files').setInputFiles(path)
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Keeping both calls yours a (3).txt.').waitFor()
    await dialog.getByRole('button', { name: 'Keep both' }).click()
    await page.getByText('7 B, on all four nodes').waitFor()
    await site.store.stat(site.identity, 'a (3).txt')
  })

  test('a failed upload is tried again when told', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=again%2F' })
    const { page } = visitor
    await page.route(/\/uploads$/, (route) =>
      route.fulfill({ status: 400, json: { code: 'NAME_INVALID', detail: 'Not that name.' } }),
    )
    const path = join(folder, 'again.bin')
    await writeFile(path, 'again')
    await page.locator('#choose-files').setInputFiles(path)
    await page.getByText('Not that name.').waitFor()
    await page.unrouteAll()
    await page.getByRole('button', { name: 'Retry again.bin' }).click()
    await page.getByText('5 B, on all four nodes').waitFor()
    forgive(visitor, /400/)
  })

  test('shows nothing of the uploads of the one before to who signs in next', async () => {
    await site.cluster.addUser('bob', PASSWORD)
    await using visitor = await visitApp(browser, site)
    const { page, context } = visitor
    await beginUpload(visitor, 'secret of alice.bin')
    // The session ends by itself, as after twelve hours: nobody pressed "Sign out".
    await context.clearCookies()
    await page.keyboard.press('Escape')
    await site.put('news.txt', Buffer.from('news'))
    await page.getByLabel('Password').waitFor()
    await page.getByLabel('Name').fill('bob')
    await page.getByLabel('Password').fill(PASSWORD)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Drop your first file here' }).waitFor()
    assert.doesNotMatch(await page.content(), /secret of alice|news\.txt/)
    forgive(visitor, /401|ERR_ABORTED/)
  })

  // The last: there is no gateway after it.
  test('is no way out without the gateway: the page stays, and says what it cannot do', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await stopGateway(site)
    await page.getByText("Can't reach the gateway.").first().waitFor()
    await page.keyboard.press('Control+a')
    await page.getByRole('button', { name: 'Download zip' }).click()
    await page.locator('.toast').getByText("Can't reach the gateway.").waitFor()
    assert.equal(page.url(), `${site.url}/`)
    await page.keyboard.press('?')
    await page.getByText('The gateway does not give this part of the page.').waitFor()
    const path = join(folder, 'late.bin')
    await writeFile(path, 'late')
    await page.locator('#choose-files').setInputFiles(path)
    await page.getByText('The gateway does not give this part of the page.').nth(1).waitFor()
    forgive(visitor, /ERR_/)
  })
})
