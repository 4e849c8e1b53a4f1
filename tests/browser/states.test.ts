// Every state of the page: no fault that axe-core finds (WCAG 2.2 AA and best practice), nothing
// wider than the window, and a picture of it in tests/artefacts/, for people to look at.
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { faultsIn } from '../support/axe.ts'
import { type Browser, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { PASSWORD, type Site, startSite, USER } from '../support/site.ts'

const PICTURES = fileURLToPath(new URL('../artefacts/', import.meta.url))
const NOW_MS = Date.UTC(2026, 10, 22, 9, 26)
const HOUR_MS = 3_600_000
const LONG_NAME = `${'a long name without a place to break it '.replaceAll(' ', '-').repeat(5)}.txt`

const FILES: [name: string, sizeBytes: number][] = [
  ['thesis-draft-07.pdf', 4_823],
  ['Grand Canyon, south rim.jpg', 8_204_331],
  ['interview-with-nana.m4a', 612_377],
  ['dfs.conf', 412],
  ['empty', 0],
  ['😀 "quotes" <b> 日本語\n.tar.gz', 12],
  [LONG_NAME, 1],
  ['lectures/2026/week 1/notes.md', 1_999],
  ['lectures/2026/slides.pdf', 99_949],
]

/** How a visitor comes to each state; `down` are the nodes that are away then. */
interface State {
  name: string
  down?: number[]
  isSignedOut?: boolean
  /** Leads there after signing in; default: opens `path`. */
  go?: (visitor: Visitor) => Promise<unknown>
  path?: string
}

const upload = async ({ page }: Visitor, ...names: string[]) => {
  const files = names.map((name) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(name) }))
  await page.getByLabel('Choose files to upload').setInputFiles(files)
  await page.getByRole('button', { name: 'Upload', exact: true }).click()
}

const states: State[] = [
  { name: 'sign-in', isSignedOut: true },
  {
    name: 'sign-in-failed',
    isSignedOut: true,
    async go({ page }) {
      await page.getByLabel('Name').fill(USER)
      await page.getByLabel('Password').fill(`${PASSWORD}!`)
      await page.keyboard.press('Enter')
      await page.getByRole('alert').waitFor()
    },
  },
  { name: 'empty', path: '/?folder=nothing%2F' },
  { name: 'list', path: '/' },
  {
    name: 'list-after-upload',
    async go(visitor) {
      await upload(visitor, 'dfs.conf')
      await visitor.page.getByRole('status').waitFor()
    },
  },
  { name: 'sorted', path: '/?sort=size&dir=desc' },
  { name: 'pages', path: '/?folder=many%2F&page=2' },
  { name: 'folder', path: '/?folder=lectures%2F2026%2F' },
  { name: 'search', path: '/?q=week' },
  { name: 'search-without-result', path: '/?q=nowhere' },
  { name: 'delete', path: '/delete?name=dfs.conf' },
  { name: 'delete-long', path: `/delete?name=${LONG_NAME}` },
  { name: 'message', path: '/files/nowhere' },
  {
    name: 'message-stored-in-part',
    path: '/?folder=partly%2F',
    async go(visitor) {
      await upload(visitor, 'first file.txt', LONG_NAME, 'x'.repeat(1100))
      await visitor.page.getByRole('heading', { name: 'Not all files were uploaded' }).waitFor()
    },
  },
  { name: 'sign-in-one-down', down: [3], isSignedOut: true },
  { name: 'one-down', down: [3], path: '/' },
  { name: 'delete-one-down', down: [3], path: '/delete?name=dfs.conf' },
  { name: 'opposite-down', down: [2, 4], path: '/' },
  { name: 'neighbours-down', down: [3, 4], path: '/' },
  { name: 'neighbours-down-empty', down: [3, 4], path: '/?folder=nothing%2F' },
  { name: 'neighbours-down-message', down: [3, 4], path: '/files/dfs.conf' },
  { name: 'neighbours-down-delete', down: [3, 4], path: '/delete?name=dfs.conf' },
]

const looks = [
  { colorScheme: 'light', width: 1280 },
  { colorScheme: 'dark', width: 1280 },
  { colorScheme: 'light', width: 400 },
  { colorScheme: 'dark', width: 320 },
] as const
type Look = (typeof looks)[number]

describe('each state of the page', { skip }, () => {
  let browser: Browser
  let site: Site
  /** Signed in all the time, one for each look. */
  const residents = new Map<Look, Visitor>()

  before(async () => {
    await mkdir(PICTURES, { recursive: true })
    site = await startSite()
    browser = await startBrowser()
    for (const [index, [name, sizeBytes]] of FILES.entries()) {
      const modifiedMs = NOW_MS - index * 7 * HOUR_MS
      await site.put(name, seededBytes(name, sizeBytes), { modifiedMs })
    }
    for (let number = 1; number <= 102; number++) {
      await site.put(`many/${number}.log`, Buffer.from('x'), { modifiedMs: NOW_MS })
    }
    for (const look of looks) {
      const visitor = await visitorWith(look)
      await visitor.signIn()
      residents.set(look, visitor)
    }
  })

  after(async () => {
    for (const visitor of residents.values()) await visitor[Symbol.asyncDispose]()
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  /** Goes there in every look, and says what is wrong. */
  async function faultsOf({ name, isSignedOut = false, path = '/', go }: State) {
    const faults: string[] = []
    for (const look of looks) {
      const visitor = isSignedOut ? await visitorWith(look) : residents.get(look)!
      const { page } = visitor
      await visitor.open(path)
      await go?.(visitor)
      const file = join(PICTURES, `${name}-${look.colorScheme}-${look.width}.png`)
      await page.screenshot({ path: file, fullPage: true })
      const where = `${name}, ${look.colorScheme}, ${look.width} pixels: `
      faults.push(...(await faultsIn(page)).map((fault) => where + fault))
      const width = await page.evaluate<number>('document.documentElement.scrollWidth')
      if (width > look.width) faults.push(`${where}${width} pixels are needed`)
      if (isSignedOut) await visitor[Symbol.asyncDispose]()
    }
    return faults
  }

  function visitorWith(look: Look): Promise<Visitor> {
    const how = { isScriptless: false, isAppless: true, bypassesPolicy: true }
    return browser.visit({ url: site.url, ...how, ...look })
  }

  async function expectFaultless(group: State[]): Promise<void> {
    const faults: string[] = []
    for (const state of group) {
      faults.push(...(await faultsOf(state)))
    }
    assert.deepEqual(faults, [])
  }

  for (const state of states.filter(({ down }) => down === undefined)) {
    test(`${state.name} can be used by everyone, light and dark, wide and narrow`, async () => {
      await expectFaultless([state])
    })
  }

  const downs = new Set(states.flatMap(({ down }) => (down === undefined ? [] : down.join())))
  for (const down of downs) {
    test(`with ${down} down the pages can be used by everyone all the same`, async () => {
      const group = states.filter((state) => state.down?.join() === down)
      await site.withDown(down.split(',').map(Number), () => expectFaultless(group))
    })
  }
})
