// What the page without scripts says and does while nodes are away, and that all is as before when
// they are back. The sentences are the design's, word for word.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Browser, clickedBytes, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { ROW, seededBytes } from '../support/content.ts'
import { PASSWORD, type Site, startSite, USER } from '../support/site.ts'

const REFUSED =
  'Uploads are refused until all four nodes are up; nothing you send now would be kept.'
const FILES: Record<string, Buffer> = {
  'large.bin': seededBytes('large', 3 * ROW),
  'small.bin': seededBytes('small', 5),
  'empty.bin': Buffer.alloc(0),
}
const NAMES = Object.keys(FILES).sort()

describe('while nodes are down', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
    for (const [name, bytes] of Object.entries(FILES)) await site.put(name, bytes)
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  async function signedIn(): Promise<Visitor> {
    const visitor = await browser.visit(site)
    await visitor.signIn()
    return visitor
  }

  const words = ({ page }: Visitor) => page.locator('tbody .copies').allInnerTexts()
  const uploadButton = ({ page }: Visitor) =>
    page.getByRole('button', { name: 'Upload', exact: true })

  async function expectAllOpen(visitor: Visitor): Promise<void> {
    for (const [name, bytes] of Object.entries(FILES)) {
      assert.ok((await clickedBytes(visitor, name)).equals(bytes), name)
    }
  }

  async function expectAllNormal(visitor: Visitor): Promise<void> {
    const { page } = visitor
    await visitor.open('/')
    assert.equal(await page.locator('.banner').count(), 0)
    assert.ok(await uploadButton(visitor).isEnabled())
    assert.deepEqual(await words(visitor), ['2 copies', '2 copies', '2 copies'])
    assert.match(await page.locator('.head').innerText(), /Nodes up: DFS1, DFS2, DFS3, DFS4/)
    await expectAllOpen(visitor)
  }

  const readable: [numbers: number[], sentence: string][] = [
    [[3], 'DFS3 is not answering. Every file can still be opened and downloaded.'],
    [[1, 3], 'DFS1 and DFS3 are not answering. Every file can still be read, from its last copy.'],
    [[2, 4], 'DFS2 and DFS4 are not answering. Every file can still be read, from its last copy.'],
  ]
  for (const [numbers, sentence] of readable) {
    test(`${numbers} down: says so in amber, takes no upload, and gives every file`, async () => {
      await using visitor = await signedIn()
      const { page } = visitor
      await site.withDown(numbers, async () => {
        await visitor.open('/')
        const banner = page.getByRole('status')
        assert.equal(await banner.innerText(), `${sentence} ${REFUSED}`)
        assert.equal(await banner.getAttribute('class'), 'banner warn')
        assert.ok(await uploadButton(visitor).isDisabled())
        assert.deepEqual(await words(visitor), ['1 copy left', '1 copy left', '1 copy left'])
        assert.equal(await page.locator('tbody .ring path.absent').count(), NAMES.length)
        assert.equal(await page.locator('tbody .ring path.lost').count(), 0)
        await expectAllOpen(visitor)
      })
      await expectAllNormal(visitor)
    })
  }

  test('two neighbours down: says so in red, and names are no links', async () => {
    await using visitor = await signedIn()
    const { page } = visitor
    await site.withDown([3, 4], async () => {
      await visitor.open('/')
      const banner = page.getByRole('alert')
      assert.equal(
        await banner.innerText(),
        'DFS3 and DFS4 are not answering. One part of every file is out of reach. ' +
          'Nothing is lost: files open again as soon as either node is back.',
      )
      assert.equal(await banner.getAttribute('class'), 'banner bad')
      assert.ok(await uploadButton(visitor).isDisabled())
      const need = 'Needs DFS3 or DFS4'
      assert.deepEqual(await words(visitor), [need, need, need])
      assert.deepEqual(await page.locator('tbody .name').allInnerTexts(), NAMES)
      assert.equal(await page.locator('tbody .name-cell a').count(), 0)
      assert.equal(await page.locator('tbody .ring path.lost').count(), NAMES.length)

      const answer = await visitor.open('/files/large.bin')
      assert.equal(answer.status(), 503)
      assert.equal(await page.getByRole('heading').innerText(), 'This file cannot be opened now')
      const text = await page.locator('main').innerText()
      assert.match(text, /DFS3/)
      assert.match(text, /DFS4/)
      assert.equal(await page.getByRole('alert').count(), 1, 'the banner is there too')

      await visitor.open('/delete?name=small.bin')
      assert.ok(await page.getByRole('button', { name: 'Delete' }).isDisabled())
      assert.match(await page.locator('main').innerText(), /Deleting needs three nodes/)
    })
    await expectAllNormal(visitor)
  })

  test('no node up: says so, whether signed in or not, and forgets nobody', async () => {
    await using visitor = await signedIn()
    await using stranger = await browser.visit(site)
    const lead = /^None of the four nodes is answering\. No file can be listed or opened\./
    await site.withDown([1, 2, 3, 4], async () => {
      assert.equal((await visitor.open('/')).status(), 503)
      assert.match(await visitor.page.getByRole('alert').innerText(), lead)
      assert.equal((await visitor.open('/files/large.bin')).status(), 503)
      await stranger.open('/')
      assert.match(await stranger.page.getByRole('alert').innerText(), lead)
      await stranger.page.getByLabel('Name').fill(USER)
      // The gateway remembers the right one for a while; of another it cannot tell.
      await stranger.page.getByLabel('Password').fill(`${PASSWORD}!`)
      const [answer] = await Promise.all([
        stranger.page.waitForResponse((response) => response.request().method() === 'POST'),
        stranger.page.keyboard.press('Enter'),
      ])
      assert.equal(answer.status(), 503)
      assert.match(await stranger.page.locator('main').innerText(), /node/)
    })
    await expectAllNormal(visitor)
    await stranger.signIn()
  })

  test('signing in and deleting work with one node down', async () => {
    await site.put('to go.bin', Buffer.from('x'))
    await site.withDown([1], async () => {
      await using visitor = await signedIn()
      await visitor.page.getByRole('link', { name: 'Delete to go.bin' }).click()
      await visitor.page.getByRole('button', { name: 'Delete' }).click()
      assert.deepEqual(await visitor.page.locator('tbody .name').allInnerTexts(), NAMES)
    })
    await using visitor = await signedIn()
    await expectAllNormal(visitor)
  })

  for (const sizeBytes of [10, 3 * ROW, 40 * ROW]) {
    test(`a form of ${sizeBytes} bytes from before is answered 503 with the sentence`, async () => {
      await using visitor = await signedIn()
      const { page } = visitor
      await visitor.open('/?folder=late%2F')
      // From a file: handing 40 MiB to the browser byte by byte takes longer than what is tested.
      const path = join(await mkdtemp(join(tmpdir(), 'fourfold-late-')), 'late.bin')
      await writeFile(path, seededBytes('late', sizeBytes))
      await page.getByLabel('Choose files to upload').setInputFiles(path)
      await site.withDown([2], async () => {
        const [answer] = await Promise.all([
          page.waitForResponse((response) => response.request().method() === 'POST'),
          uploadButton(visitor).click(),
        ])
        assert.equal(answer.status(), 503)
        assert.equal(await page.title(), 'Nothing was uploaded – Fourfold')
        assert.match(await page.getByRole('status').innerText(), /^DFS2 is not answering\./)
        assert.match(await page.locator('main').innerText(), /DFS2/)
        await page.getByRole('link', { name: 'Back' }).click()
        assert.equal(page.url(), `${site.url}/?folder=late%2F`)
        assert.equal(await page.locator('tbody .name').count(), 0)
      })
      await rm(dirname(path), { recursive: true })
      await expectAllNormal(visitor)
    })
  }
})
