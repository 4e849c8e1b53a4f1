// Every state of the app: no fault that axe-core finds (WCAG 2.2 AA and best practice), wide and
// light as well as narrow and dark, nothing wider than the window, its sentence there, and pictures
// of it in tests/artefacts/app/, for people to look at.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { LIST, signInToApp, visitApp } from '../support/app-visit.ts'
import { faultsIn } from '../support/axe.ts'
import { type Browser, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { startGatewayAgain, stopGateway } from '../support/gateway-again.ts'
import { type Site, startSite } from '../support/site.ts'
import { type AppState, statesOf } from './app-states.ts'

const PICTURES = fileURLToPath(new URL('../artefacts/app/', import.meta.url))
const HOUR_MS = 3_600_000
const MIB = 1_048_576

const FILES: [name: string, sizeBytes: number][] = [
  ['thesis-draft-07.pdf', 482_311],
  ['Grand Canyon, south rim.jpg', 820_433],
  ['interview-with-nana.m4a', 612_377],
  ['lab-3-wireshark-capture.pcapng', 1_882_041],
  ['dfs.conf', 412],
  ['empty', 0],
  ['😀 "quotes" <b> 日本語\n.tar.gz', 12],
  [`${'a-very-long-name-without-a-space-'.repeat(6)}.txt`, 1],
  ['lectures/2026/week 1/notes.md', 1_999],
  ['lectures/2026/slides.pdf', 99_949],
]

describe('each state of the app', { skip }, () => {
  let browser: Browser
  let site: Site
  let folder: string
  let visitor: Visitor

  before(async () => {
    await mkdir(PICTURES, { recursive: true })
    folder = await mkdtemp(join(tmpdir(), 'fourfold-states-'))
    await writeFile(join(folder, 'photos-2019.tar'), seededBytes('photos', 8 * MIB))
    await writeFile(join(folder, 'dfs.conf'), 'mine')
    await writeFile(join(folder, 'small.txt'), 'small')
    await writeFile(join(folder, 'archive.tar'), '')
    await truncate(join(folder, 'archive.tar'), 2 ** 43)
    site = await startSite()
    browser = await startBrowser()
    for (const [index, [name, sizeBytes]] of FILES.entries()) {
      const modifiedMs = Date.now() - index * 7 * HOUR_MS
      await site.put(name, seededBytes(name, sizeBytes), { modifiedMs })
    }
    await site.put('torn.png', Buffer.from('no picture'), { type: 'image/png' })
    await site.put('notes.md', Buffer.from('# Notes\n\n- *one*\n\n```js\nlet a = 1\n```\n'))
    visitor = await visitApp(browser, site, { bypassesPolicy: true, width: 1389 })
    visitor.page.on('dialog', (dialog) => dialog.accept())
  })

  after(async () => {
    await visitor?.[Symbol.asyncDispose]()
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  /** Goes there, looks at it wide and light, then narrow and dark, and says what is wrong. */
  async function faultsOf({ name, path = '/', go, says, noise }: AppState): Promise<string[]> {
    const { page } = visitor
    await page.unrouteAll({ behavior: 'ignoreErrors' })
    await page.evaluate('sessionStorage.clear()')
    await page.setViewportSize({ width: 1389, height: 868 })
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
    // A hash alone would not load the page anew.
    await page.goto('about:blank')
    await visitor.open(path)
    await page.locator(LIST).first().waitFor()
    // The keys come with it.
    await page.locator('.toasts').waitFor({ state: 'attached' })
    await go?.({ visitor, folder })
    for (const text of says ?? []) await page.getByText(text).first().waitFor()
    const faults = await look(`${name}-light`)
    await page.setViewportSize({ width: 390, height: 844 })
    await page.emulateMedia({ colorScheme: 'dark' })
    faults.push(...(await look(`${name}-dark-phone`)))
    if (noise !== undefined) {
      for (const complaint of visitor.complaints) assert.match(complaint, noise)
      visitor.complaints.length = 0
    }
    return faults
  }

  async function inBothColours(name: string): Promise<string[]> {
    const faults: string[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      await visitor.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      faults.push(...(await look(`${name}-${colorScheme}`)))
    }
    return faults
  }

  async function look(name: string): Promise<string[]> {
    const { page } = visitor
    await page.screenshot({ path: join(PICTURES, `${name}.png`) })
    const faults = await faultsIn(page)
    const width = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
    return [
      ...faults.map((fault) => `${name}: ${fault}`),
      ...(width > 0 ? [`${name}: ${width} pixels too wide`] : []),
    ]
  }

  for (const state of statesOf('up')) {
    test(`${state.name} can be used by everyone`, async () => {
      assert.deepEqual(await faultsOf(state), [])
    })
  }

  for (const [down, when] of [
    [[3], 'one-down'],
    [[1, 3], 'opposite-down'],
    [[3, 4], 'neighbours-down'],
  ] as const) {
    test(`${when}: the page says what still works, and can be used by everyone`, async () => {
      const faults: string[] = []
      await site.withDown(down, async () => {
        for (const state of statesOf(when)) faults.push(...(await faultsOf(state)))
      })
      assert.deepEqual(faults, [])
    })
  }

  test('without the gateway the page says so, tries again, and finds it again', async () => {
    const { page } = visitor
    await page.setViewportSize({ width: 1389, height: 868 })
    await visitor.open('/')
    await page.locator(LIST).first().waitFor()
    await page.locator('.big-ring .node').first().waitFor()
    await stopGateway(site)
    await page.getByText("Can't reach the gateway.").waitFor()
    await page.getByText(/Trying again in \d+ s\./).waitFor()
    const faults = await inBothColours('gateway-lost')
    await startGatewayAgain(site)
    await page.getByRole('button', { name: 'Try now' }).click()
    await page.getByText("Can't reach the gateway.").waitFor({ state: 'detached' })
    assert.deepEqual(faults, [])
    for (const complaint of visitor.complaints) assert.match(complaint, /ERR_|503/)
    visitor.complaints.length = 0
  })

  test('signing in can be used by everyone, also after a wrong password', async () => {
    const { page } = visitor
    await visitor.context.clearCookies()
    await visitor.open('/')
    await page.locator('html.app').waitFor()
    await page.getByLabel('Password').waitFor()
    const faults = await inBothColours('sign-in')
    await page.getByLabel('Name').fill('alice')
    await page.getByLabel('Password').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByText("That name and password don't match.").waitFor()
    faults.push(...(await inBothColours('sign-in-failed')))
    assert.deepEqual(faults, [])
    for (const complaint of visitor.complaints) assert.match(complaint, /401/)
    visitor.complaints.length = 0
    await signInToApp(page)
  })
})
