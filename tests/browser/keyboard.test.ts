// A journey without a mouse: every key that is pressed here is one that a person has, and where it
// leads is seen by what has the focus.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Browser, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { PASSWORD, type Site, startSite, USER } from '../support/site.ts'

/** More stops than any page here has. */
const MAX_STOPS = 40

describe('with the keyboard alone', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
    await site.put('a folder/b.txt', Buffer.from('b'))
    await site.put('first.bin', Buffer.from('first'))
    await site.put('second.bin', Buffer.from('second'))
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  /** Name of what has the focus, as it is read out, and whether one sees that it has. */
  async function focused({ page }: Visitor): Promise<{ name: string; isVisible: boolean }> {
    return page.evaluate(`(() => {
      const one = document.activeElement
      const label = one.labels?.[0] ?? one
      const { outlineStyle, outlineWidth } = getComputedStyle(one)
      const box = one.closest('.search') ?? one
      const hasRing = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2
      const hasGlow = getComputedStyle(box).boxShadow !== 'none'
      const { top, bottom } = one.getBoundingClientRect()
      const isInside = top >= 0 && bottom <= innerHeight
      const said = one.getAttribute('aria-label') ?? label.innerText
      const name = one === document.body ? '' : said.trim().replace(/\\s+/g, ' ')
      return { name, isVisible: isInside && (hasRing || hasGlow) }
    })()`)
  }

  /** Presses Tab (or with Shift) until `name` has the focus; every stop must be seen. */
  async function tabTo(visitor: Visitor, name: string, key = 'Tab'): Promise<void> {
    const passed: string[] = []
    for (let stop = 0; stop < MAX_STOPS; stop++) {
      await visitor.page.keyboard.press(key)
      const at = await focused(visitor)
      if (at.name !== '') assert.ok(at.isVisible, `the focus on ${at.name} is seen`)
      if (at.name === name) return
      passed.push(at.name)
    }
    assert.fail(`${name} has no stop; the stops are ${passed.join(', ')}`)
  }

  test('one signs in, uploads, opens, deletes and signs out', async () => {
    await using visitor = await browser.visit(site)
    const { page } = visitor
    const { keyboard } = page
    await visitor.open('/')
    // The field for the name has the focus from the start.
    await page.waitForFunction('document.activeElement.id === "user"')
    await keyboard.type(USER)
    await tabTo(visitor, 'Password')
    await keyboard.type(PASSWORD)
    await keyboard.press('Enter')
    await page.waitForSelector('.files')

    await keyboard.press('Tab')
    assert.deepEqual(await focused(visitor), { name: 'Skip to content', isVisible: true })
    await keyboard.press('Enter')
    await tabTo(visitor, 'Choose files to upload')
    const chooser = page.waitForEvent('filechooser')
    await keyboard.press('Space')
    const upload = { name: 'third.bin', mimeType: 'application/octet-stream' }
    await (await chooser).setFiles({ ...upload, buffer: Buffer.from('third') })
    await tabTo(visitor, 'Upload')
    await keyboard.press('Enter')
    await page.getByRole('status').waitFor()

    await tabTo(visitor, 'second.bin')
    const download = page.waitForEvent('download')
    await keyboard.press('Enter')
    assert.equal((await download).suggestedFilename(), 'second.bin')

    await tabTo(visitor, 'Delete second.bin')
    await keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Delete second.bin?' }).waitFor()
    await tabTo(visitor, 'Delete')
    await keyboard.press('Enter')
    await page.getByText('second.bin is deleted.').waitFor()
    const left = await page.locator('tbody .name').allInnerTexts()
    assert.deepEqual(left, ['a folder', 'first.bin', 'third.bin'])

    await tabTo(visitor, 'a folder')
    await keyboard.press('Enter')
    await page.getByRole('heading', { name: 'a folder' }).waitFor()
    await tabTo(visitor, 'All files')
    await keyboard.press('Enter')
    await page.getByRole('heading', { name: 'All files' }).waitFor()

    await tabTo(visitor, 'Search files')
    await keyboard.type('FIRST')
    await keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Names with “FIRST”' }).waitFor()
    assert.deepEqual(await page.locator('tbody .name').allInnerTexts(), ['first.bin'])

    await tabTo(visitor, 'Sign out')
    await keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    assert.deepEqual(await visitor.context.cookies(), [])
  })

  test('the stops come in the order in which one reads, also backwards', async () => {
    for (const width of [1280, 400]) {
      await using visitor = await browser.visit({ url: site.url, width })
      await visitor.signIn()
      await visitor.open('/?q=first')
      const stops: string[] = []
      for (let stop = 0; stop < MAX_STOPS; stop++) {
        await visitor.page.keyboard.press('Tab')
        const { name } = await focused(visitor)
        if (name === '' || name === stops[0]) break
        stops.push(name)
      }
      assert.deepEqual(stops, [
        ...[
          'Skip to content',
          'Fourfold',
          'Search files',
          'Search',
          'alice',
          'Sign out',
          'Show all files',
        ],
        ...['Name', 'Size', 'Modified', 'Select first.bin', 'first.bin', 'Rename first.bin'],
        ...['Delete first.bin', 'Download selected as zip'],
      ])
      await tabTo(visitor, 'Sign out', 'Shift+Tab')
    }
  })
})
