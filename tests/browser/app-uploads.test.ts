// Uploads of the app: every way in, every way on. Files of some megabytes go through a line that is
// slow enough to meet them on their way; nodes and the gateway go away for real.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { expectNames, forgive, settled, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { startGatewayAgain, stopGateway } from '../support/gateway-again.ts'
import { type Site, startSite } from '../support/site.ts'

const MIB = 1_048_576
/** Slow enough to be met in the middle: 6 MiB take some seconds. */
const SLOW_BYTES_PER_SECOND = 1.5 * MIB

describe('uploads in the app', { skip }, () => {
  let browser: Browser
  let site: Site
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-uploads-'))
    site = await startSite()
    browser = await startBrowser()
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  async function fileOf(name: string, sizeBytes: number): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, seededBytes(name, sizeBytes))
    return path
  }

  const choose = (page: Page, paths: string | string[]) =>
    page.locator('#choose-files').setInputFiles(paths)

  const line = (page: Page, name: string) =>
    page.locator('.uploads li').filter({ hasText: name }).locator('small')

  async function slowDown({ page, context }: Visitor): Promise<() => Promise<unknown>> {
    const session = await context.newCDPSession(page)
    const set = (uploadThroughput: number) =>
      session.send('Network.emulateNetworkConditions', {
        ...{ offline: false, latency: 0, downloadThroughput: -1, uploadThroughput },
      })
    await set(SLOW_BYTES_PER_SECOND)
    return () => set(-1)
  }

  async function expectStored(name: string, bytes: Buffer): Promise<void> {
    const { md5, sizeBytes } = await site.store.stat(site.identity, name)
    assert.equal(sizeBytes, bytes.length, name)
    assert.equal(md5, createHash('md5').update(bytes).digest('hex'), name)
  }

  /** Until the upload has sent something, and not all. */
  async function inTheMiddle(page: Page, name: string): Promise<void> {
    const isMoving = async () => /^[1-9][\d.]* MB of/.test(await line(page, name).innerText())
    assert.ok(
      await settled(isMoving),
      `${name} is on its way: ${await line(page, name).innerText()}`,
    )
  }

  test('come by button, folder, drop and paste; folders keep their paths', async () => {
    await mkdir(join(folder, 'trip/day 1'), { recursive: true })
    await fileOf('trip/day 1/a.bin', 10)
    await fileOf('trip/b.bin', 20)
    await using visitor = await visitApp(browser, site, { path: '/?folder=in%2F' })
    const { page } = visitor
    await choose(page, [await fileOf('one.bin', 3000), await fileOf('nothing.bin', 0)])
    await expectNames(page, ['nothing.bin', 'one.bin'])
    assert.equal(await line(page, 'one.bin').innerText(), '3.0 kB, on all four nodes')
    await page.locator('#choose-folder').setInputFiles(join(folder, 'trip'))
    await expectNames(page, ['trip', 'nothing.bin', 'one.bin'])
    await drop(page, 'dropped.txt', 'dropped text')
    await page.locator('.veil').waitFor({ state: 'detached' })
    await paste(page, 'pasted text')
    const names = async () => {
      const { files } = await site.store.list(site.identity, { prefix: 'in/', limit: 100 })
      return files.map(({ name }) => name.replace(/pasted-[\d .-]+\.txt/, 'pasted'))
    }
    const all = [
      'dropped.txt',
      'nothing.bin',
      'one.bin',
      'pasted',
      'trip/b.bin',
      'trip/day 1/a.bin',
    ]
    const wanted = all.map((name) => `in/${name}`).join()
    assert.ok(await settled(async () => (await names()).join() === wanted), String(await names()))
    await expectStored('in/one.bin', seededBytes('one.bin', 3000))
    await expectStored('in/dropped.txt', Buffer.from('dropped text'))
  })

  test('show how far they are, three at a time, and pause, go on and end when told', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=slow%2F' })
    const { page } = visitor
    const release = await slowDown(visitor)
    const names = ['1.bin', '2.bin', '3.bin', '4.bin']
    const paths = await Promise.all(names.map((name) => fileOf(name, 4 * MIB)))
    await choose(page, paths)
    await inTheMiddle(page, '1.bin')
    assert.equal(await line(page, '4.bin').innerText(), 'Next')
    await page.getByText(/^[\d.]+ [kM]B\/s, \d+ \w+ left$/).waitFor()
    assert.match(await page.title(), /^\d+% Fourfold$/)
    await page.getByRole('button', { name: 'Pause all' }).click()
    await page.getByRole('heading', { name: 'Uploads paused' }).waitFor()
    assert.match(await line(page, '1.bin').innerText(), /^Paused at \d+%$/)
    await page.getByRole('button', { name: 'Cancel 3.bin' }).click()
    await release()
    await page.getByRole('button', { name: 'Resume all' }).click()
    await page.getByRole('heading', { name: '3 files uploaded' }).waitFor()
    for (const name of ['1.bin', '2.bin', '4.bin']) {
      await expectStored(`slow/${name}`, seededBytes(name, 4 * MIB))
    }
    await expectNames(page, ['1.bin', '2.bin', '4.bin'])
    assert.equal(await page.title(), 'slow – Fourfold')
  })

  test('of a name that is there ask: keep both, replace, skip, and the same for others', async () => {
    for (const name of ['a.txt', 'b.txt', 'c.txt'])
      await site.put(`clash/${name}`, Buffer.from(name))
    await using visitor = await visitApp(browser, site, { path: '/?folder=clash%2F' })
    const { page } = visitor
    const paths = await Promise.all(['a.txt', 'b.txt', 'c.txt'].map((name) => fileOf(name, 50)))
    await choose(page, paths)
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('heading', { name: 'a.txt is already here.' }).waitFor()
    await dialog.getByText('Do the same for the other 2').waitFor()
    await dialog.getByRole('button', { name: 'Skip' }).click()
    await dialog.getByRole('heading', { name: 'b.txt is already here.' }).waitFor()
    await dialog.getByLabel('Do the same for the other 1').check()
    await dialog.getByRole('button', { name: 'Keep both' }).click()
    await expectNames(page, ['a.txt', 'b (2).txt', 'b.txt', 'c (2).txt', 'c.txt'])
    await expectStored('clash/c (2).txt', seededBytes('c.txt', 50))
    await choose(page, paths[0]!)
    await dialog.getByRole('button', { name: 'Replace' }).click()
    await page.getByRole('heading', { name: '3 files uploaded' }).waitFor()
    await expectStored('clash/a.txt', seededBytes('a.txt', 50))
  })

  test('leave no veil behind when a drag ends where nobody sees it', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    await page.evaluate(`(() => {
      const data = new DataTransfer()
      data.items.add(new File(['x'], 'x'))
      document.body.dispatchEvent(new DragEvent('dragenter', { dataTransfer: data, bubbles: true }))
    })()`)
    await page.locator('.veil').waitFor()
    await page.mouse.move(300, 300)
    await page.locator('.veil').waitFor({ state: 'detached' })
  })

  test('ask before the list is there, too', async () => {
    await site.put('early/a.txt', Buffer.from('first'))
    await using visitor = await visitApp(browser, site, { path: '/?folder=early%2F' })
    const { page } = visitor
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await page.route(/\/files\?limit=/, async (route) => {
      await held
      await route.continue()
    })
    await page.reload()
    await page.getByText('Loading', { exact: true }).first().waitFor()
    await choose(page, await fileOf('a.txt', 50))
    release()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('heading', { name: 'a.txt is already here.' }).waitFor()
    await dialog.getByRole('button', { name: 'Skip' }).click()
    await dialog.waitFor({ state: 'detached' })
    await expectStored('early/a.txt', Buffer.from('first'))
  })

  test('ask where somebody else was first with the name, when all is sent', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=late%2F' })
    const { page } = visitor
    const release = await slowDown(visitor)
    await choose(page, await fileOf('late.bin', 6 * MIB))
    await inTheMiddle(page, 'late.bin')
    await site.put('late/late.bin', Buffer.from('theirs'))
    await release()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('heading', { name: 'late.bin is already here.' }).waitFor()
    await dialog.getByText('6 B').waitFor()
    await dialog.getByRole('button', { name: 'Keep both' }).click()
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    await expectStored('late/late.bin', Buffer.from('theirs'))
    await expectStored('late/late (2).bin', seededBytes('late.bin', 6 * MIB))
    forgive(visitor, /412/)
  })

  test('wait while a node is away, keep what is kept, and go on by themselves', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=away%2F' })
    const { page } = visitor
    const release = await slowDown(visitor)
    await choose(page, await fileOf('away.bin', 6 * MIB))
    await inTheMiddle(page, 'away.bin')
    await site.withDown([3], async () => {
      await page.getByRole('heading', { name: 'Uploads waiting' }).waitFor()
      await page.getByText(/kept\. Resumes with DFS3\.$/).waitFor()
      await page.getByText('New uploads wait, and start by themselves when').waitFor()
      await release()
    })
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    await expectStored('away/away.bin', seededBytes('away.bin', 6 * MIB))
    // The request that the node's end broke off, where it had an answer.
    forgive(visitor, /503|ERR_|409|423/)
  })

  test('go on after a reload with the same file, and take no other for it', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=again%2F' })
    const { page } = visitor
    page.on('dialog', (dialog) => dialog.accept())
    const release = await slowDown(visitor)
    const path = await fileOf('again.bin', 6 * MIB)
    await choose(page, path)
    await inTheMiddle(page, 'again.bin')
    await page.reload()
    await page.getByText(/^Stopped at \d+%\. Choose the same file to go on from there\.$/).waitFor()
    await release()
    const field = page.getByLabel('The same file')
    await field.setInputFiles(await fileOf('other.bin', 100))
    await page.getByText('That is a different file (size differs).').waitFor()
    let sentBytes = 0
    page.on('request', (request) => {
      if (request.method() === 'PATCH')
        sentBytes += Number(request.headers()['content-length'] ?? 0)
    })
    await field.setInputFiles(path)
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    await expectStored('again/again.bin', seededBytes('again.bin', 6 * MIB))
    assert.ok(sentBytes < 6 * MIB, 'what was kept is not sent again')
  })

  test('that cannot fit are refused before a byte is sent', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=huge%2F' })
    const { page } = visitor
    const path = join(folder, 'huge.bin')
    await writeFile(path, '')
    // No bytes on this disk: the file is one hole.
    await truncate(path, 2 ** 43)
    await choose(page, path)
    await page.getByText(/^Not enough room: needs 8\.8 TB, [\d.]+ [GT]B left\.$/).waitFor()
    assert.deepEqual(await page.locator('.rows .name').allInnerTexts(), [])
  })

  test('are taken although the list has changed while they were chosen', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=chosen%2F' })
    const { page } = visitor
    const chooser = page.waitForEvent('filechooser')
    await page.getByRole('button', { name: 'Upload files' }).click()
    const opened = await chooser
    // Somebody else's file comes, and the list takes the place of what stood in the empty folder.
    await site.put('chosen/other.bin', seededBytes('other.bin', 10))
    await page.getByText('other.bin').first().waitFor()
    await opened.setFiles(await fileOf('mine.bin', 1000))
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    await expectStored('chosen/mine.bin', seededBytes('mine.bin', 1000))
  })

  test('tell what they are doing: reading, sending, writing to disk, done', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=told%2F' })
    const { page } = visitor
    // What shows uploads is fetched with the first one, and may come after that has been read.
    await choose(page, await fileOf('before.bin', 10))
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    await page.getByRole('button', { name: 'Clear the list' }).click()
    await page.evaluate(`(() => {
      globalThis.told = []
      new MutationObserver(() => {
        const line = document.querySelector('.uploads li small')?.textContent
        if (line && told.at(-1) !== line) told.push(line)
      }).observe(document.body, { childList: true, subtree: true, characterData: true })
    })()`)
    await choose(page, await fileOf('told.bin', 4 * MIB))
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    const told = (await page.evaluate<string[]>('told')).map((one) => one.replace(/^.* of/, '… of'))
    assert.deepEqual(
      told.filter((one, index) => one !== told[index - 1]),
      ['Reading', '… of 4.2 MB', 'Writing to disk on all nodes', '4.2 MB, on all four nodes'],
    )
  })

  test('are not begun anew where the gateway cannot tell right now how far they are', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=passing%2F' })
    const { page } = visitor
    const release = await slowDown(visitor)
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.method()))
    await choose(page, await fileOf('passing.bin', 6 * MIB))
    await inTheMiddle(page, 'passing.bin')
    await page.getByRole('button', { name: 'Pause all' }).click()
    let isRefused = false
    await page.route(/\/uploads\/\w+$/, (route, request) => {
      if (isRefused || request.method() !== 'HEAD') return route.continue()
      isRefused = true
      return route.fulfill({ status: 503 })
    })
    await release()
    await page.getByRole('button', { name: 'Resume all' }).click()
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    await expectStored('passing/passing.bin', seededBytes('passing.bin', 6 * MIB))
    assert.ok(isRefused)
    assert.equal(asked.filter((method) => method === 'POST').length, 1)
    forgive(visitor, /503|ERR_ABORTED/)
  })

  // The last: what the site itself hears of the gateway ends with it.
  test('outlive the gateway, and go on by themselves when it is back', async () => {
    await using visitor = await visitApp(browser, site, { path: '/?folder=outlive%2F' })
    const { page } = visitor
    const release = await slowDown(visitor)
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.method()))
    await choose(page, await fileOf('outlive.bin', 6 * MIB))
    await inTheMiddle(page, 'outlive.bin')
    await stopGateway(site)
    await page.getByText("Can't reach the gateway.").waitFor()
    await page.getByText(/ kept\. Resumes with the gateway\.$/).waitFor()
    await release()
    await startGatewayAgain(site)
    await page.getByRole('heading', { name: '1 file uploaded' }).waitFor()
    await expectStored('outlive/outlive.bin', seededBytes('outlive.bin', 6 * MIB))
    assert.equal(asked.filter((method) => method === 'POST').length, 1)
    forgive(visitor, /ERR_|50[23]|423/)
  })
})

/** As a browser does when a file is let go over the window. */
async function drop(page: Page, name: string, text: string): Promise<void> {
  await page.evaluate(`(() => {
    const data = new DataTransfer()
    data.items.add(new File([${JSON.stringify(text)}], ${JSON.stringify(name)}))
    for (const kind of ['dragenter', 'dragover', 'drop']) {
      const event = new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true })
      document.body.dispatchEvent(event)
    }
  })()`)
}

async function paste(page: Page, text: string): Promise<void> {
  await page.evaluate(`(() => {
    const data = new DataTransfer()
    data.setData('text/plain', ${JSON.stringify(text)})
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }))
  })()`)
}
