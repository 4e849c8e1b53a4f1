// Sound and moving pictures in the app: they play from where one wants, and what lies before that
// is not fetched.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { settled, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser } from '../support/browser.ts'
import { keyFrameOf, wavOf, webmOf } from '../support/media.ts'
import { noisyPicture } from '../support/noisy-picture.ts'
import { type Site, startSite } from '../support/site.ts'

const SECONDS = 120
const FRAME_MS = 1000
const [WIDTH, HEIGHT] = [320, 180]

describe('media in the app', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  /** Opens it, goes to `second`, and answers from which byte on the browser asked for more. */
  async function seek(page: Page, name: string, second: number) {
    const starts: number[] = []
    page.on('request', async (request) => {
      if (!request.url().endsWith(`/files/${name}`)) return
      // Of a request that the end of the visit cuts off nothing can be told any more.
      const headers = await request.allHeaders().catch(() => undefined)
      if (headers !== undefined) starts.push(firstByte(headers.range))
    })
    await page.getByRole('link', { name, exact: true }).click()
    const media = page.getByRole('dialog').locator('audio, video')
    await media.waitFor()
    const loaded = () => media.evaluate((one: HTMLMediaElement) => one.readyState >= 1)
    assert.ok(await settled(loaded), await trouble(media))
    const durationS = await media.evaluate((one: HTMLMediaElement) => one.duration)
    await media.evaluate((one: HTMLMediaElement, to) => {
      one.currentTime = to
    }, second)
    const isThere = () =>
      media.evaluate((one: HTMLMediaElement) => !one.seeking && one.readyState >= 2)
    assert.ok(await settled(isThere), await trouble(media))
    const at = await media.evaluate((one: HTMLMediaElement) => one.currentTime)
    return { media, durationS, at, starts }
  }

  test('sound plays, and from its end without all that comes before', async () => {
    const sound = wavOf(SECONDS)
    await site.put('sound.wav', sound, { type: 'audio/wav' })
    await using visitor = await visitApp(browser, site)
    const { durationS, at, starts } = await seek(visitor.page, 'sound.wav', SECONDS - 10)
    assert.equal(durationS, SECONDS)
    assert.equal(at, SECONDS - 10)
    assert.equal(starts[0], 0)
    assert.ok(Math.max(...starts) > sound.length / 2, `asked from ${starts}`)
  })

  test('a film plays, and from its end without all that comes before', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    const frame = keyFrameOf(await page.evaluate<string>(noisyPicture(WIDTH, HEIGHT)))
    const frameCount = SECONDS
    const film = { frame, frameCount, frameMs: FRAME_MS, width: WIDTH, height: HEIGHT }
    const bytes = Buffer.concat([...webmOf(film)])
    await site.put('film.webm', bytes, { type: 'video/webm' })
    const { media, durationS, at, starts } = await seek(page, 'film.webm', SECONDS - 10)
    assert.equal(durationS, SECONDS)
    assert.equal(at, SECONDS - 10)
    const width = await media.evaluate((one: HTMLVideoElement) => one.videoWidth)
    assert.equal(width, WIDTH)
    assert.ok(Math.max(...starts) > bytes.length / 2, `${bytes.length} bytes, asked from ${starts}`)
    // An arrow belongs to the film while it has the focus, and to the list otherwise.
    await media.focus()
    await page.keyboard.press('ArrowLeft')
    await page.getByRole('dialog').getByRole('heading', { name: 'film.webm' }).waitFor()
  })
})

function firstByte(range = ''): number {
  return Number(/^bytes=(\d+)-/.exec(range)?.[1])
}

function trouble(media: Locator): Promise<string> {
  return media.evaluate(
    (one: HTMLMediaElement) => `state ${one.readyState}, ${one.error?.message ?? 'no error'}`,
  )
}
