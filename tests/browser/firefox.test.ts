// A smoke pass in Firefox, over WebDriver BiDi: the app signs in, lists, uploads, shows and
// downloads there too, and Firefox has nothing to complain about.
import assert from 'node:assert/strict'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import puppeteer, { type Browser } from 'puppeteer-core'
import { seededBytes } from '../support/content.ts'
import { PASSWORD, type Site, startSite, USER } from '../support/site.ts'

const PROGRAM = process.env.FIREFOX ?? '/usr/bin/firefox-esr'
const TIMEOUT_MS = 60_000

const skip = isThere(PROGRAM) ? false : 'no firefox-esr here; FIREFOX may name one'

describe('the app in Firefox', { skip }, () => {
  let browser: Browser
  let site: Site
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-firefox-'))
    site = await startSite()
    await site.put('notes.txt', Buffer.from('from before'), { type: 'text/plain' })
    browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: PROGRAM,
      headless: true,
      timeout: TIMEOUT_MS,
      protocolTimeout: TIMEOUT_MS,
    })
  })

  after(async () => {
    await browser?.close()
    await site?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  test('signs in, lists, uploads, shows a file and the cluster', async () => {
    const page = await browser.newPage()
    page.setDefaultTimeout(TIMEOUT_MS)
    const complaints: string[] = []
    page.on('console', (message) => {
      if (/^(error|warn)$/.test(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(site.url)
    await page.waitForSelector('html.app #user')
    await page.type('#user', USER)
    await page.type('#password', PASSWORD)
    await page.keyboard.press('Enter')
    await page.waitForSelector('.rows .name')
    await page.waitForSelector('.big-ring .node')

    const path = join(folder, 'fox.bin')
    await writeFile(path, seededBytes('fox', 300_000))
    const field = await page.$('input#choose-files')
    await field!.uploadFile(path)
    await page.waitForSelector('::-p-text(300 kB, on all four nodes)')
    const { sizeBytes } = await site.store.stat(site.identity, 'fox.bin')
    assert.equal(sizeBytes, 300_000)

    // The new row moves the other one down: not while it is clicked.
    await page.waitForSelector('a[href$="/files/fox.bin"]')
    await (await page.waitForSelector('a[href$="/files/notes.txt"]'))!.click()
    await page.waitForSelector('dialog ::-p-text(from before)')
    await page.keyboard.press('Escape')
    await (await page.waitForSelector('.cluster-card h2 a'))!.click()
    await page.waitForSelector('::-p-text(Answers in)')
    assert.deepEqual(complaints, [])
    await page.close()
  })
})

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
