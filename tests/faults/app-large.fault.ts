// Two GiB from the page, and a film of 300 MB in it: what browser, gateway and nodes take of the
// memory stays level all the way, and the film's end is seen without all that comes before it.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { row, settled, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { keyFrameOf, webmOf } from '../support/media.ts'
import { noisyPicture } from '../support/noisy-picture.ts'
import { type Site, startSite } from '../support/site.ts'
import { residentBytes } from '../support/watching.ts'

const MIB = 1_048_576
const SIZE_MIB = Number(process.env.FOURFOLD_LARGE_MIB ?? 2048)
const SAMPLE_MS = 500
const UPLOAD_TIMEOUT_MS = 900_000
/** From the first quarter of an upload to the last one. */
const MAX_GROWTH_MIB = 64

const FILM_BYTES = 300_000_000
const FRAME_MS = 1000
const [WIDTH, HEIGHT] = [1280, 720]

let site: Site
let browser: Browser
let folder: string

before(async () => {
  if (skip !== false) return
  folder = await mkdtemp(join(tmpdir(), 'fourfold-large-'))
  site = await startSite()
  browser = await startBrowser()
})

after(async () => {
  await browser?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
})

/** A file on disk, no two rows alike; answers its MD5. */
async function writeLarge(path: string): Promise<string> {
  const md5 = createHash('md5')
  const bytes = seededBytes('large', MIB)
  const file = await open(path, 'w')
  for (let index = 0; index < SIZE_MIB; index++) {
    bytes.writeUInt32LE(index)
    md5.update(bytes)
    await file.writeFile(bytes)
  }
  await file.close()
  return md5.digest('hex')
}

/** Processes that this one started, and theirs, which are the browser's. */
async function browserPids(): Promise<number[]> {
  const parents = new Map<number, number>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = await readFile(`/proc/${entry}/stat`, 'latin1').catch(() => undefined)
    if (stat === undefined) continue
    parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ', 1)[0]))
  }
  const known = new Set(servers().map(({ pid }) => pid))
  const isOurs = (pid: number): boolean => {
    const parent = parents.get(pid)
    return parent !== undefined && (parent === process.pid || isOurs(parent))
  }
  return [...parents.keys()].filter((pid) => isOurs(pid) && !known.has(pid))
}

/** Each page of memory counts once, however many processes of the browser share it. */
async function ownBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '')
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024
}

const servers = () => [
  { name: 'gateway', pid: site.cluster.gateways[0]!.child.pid! },
  ...site.cluster.nodes.map(({ number, process }) => ({
    name: `DFS${number}`,
    pid: process.child.pid!,
  })),
]

/** MiB in use now, by who uses them. */
async function memory(): Promise<Record<string, number>> {
  const own = await Promise.all((await browserPids()).map(ownBytes))
  const sums: Record<string, number> = { browser: own.reduce((sum, bytes) => sum + bytes, 0) }
  for (const { name, pid } of servers()) sums[name] = residentBytes(pid)
  for (const name of Object.keys(sums)) sums[name] = Math.round(sums[name]! / MIB)
  return sums
}

test(`memory stays level while ${SIZE_MIB} MiB go up from the page`, { skip }, async (t) => {
  const path = join(folder, 'large.bin')
  const md5 = await writeLarge(path)
  await using visitor = await visitApp(browser, site)
  const { page } = visitor
  t.diagnostic(`before: ${JSON.stringify(await memory())}`)
  const startMs = performance.now()
  await page.locator('#choose-files').setInputFiles(path)
  const samples: { share: number; used: Record<string, number> }[] = []
  const done = page
    .getByRole('heading', { name: '1 file uploaded' })
    .waitFor({ timeout: UPLOAD_TIMEOUT_MS })
    .then(() => true)
  for (;;) {
    const percent = /^(\d+)%/.exec(await page.title())?.[1]
    if (percent !== undefined) samples.push({ share: Number(percent), used: await memory() })
    if (await Promise.race([done, pause(SAMPLE_MS, false)])) break
  }
  const seconds = (performance.now() - startMs) / 1000
  t.diagnostic(`${Math.round(seconds)} s, ${Math.round(SIZE_MIB / seconds)} MiB/s`)
  assert.equal((await site.store.stat(site.identity, 'large.bin')).md5, md5)
  const peak = (name: string, from: number, to: number) =>
    Math.max(
      ...samples.flatMap(({ share, used }) => (share >= from && share < to ? [used[name]!] : [])),
    )
  for (const name of Object.keys(samples[0]!.used)) {
    const quarters = [0, 25, 50, 75].map((from) => peak(name, from, from + 25))
    t.diagnostic(`${name}: at most ${quarters.join(', ')} MiB in the four quarters`)
    const growth = quarters[3]! - quarters[0]!
    assert.ok(growth <= MAX_GROWTH_MIB, `${name} grew by ${growth} MiB`)
  }
})

test('the end of a film of 300 MB is seen without what comes before', { skip }, async (t) => {
  await using visitor = await visitApp(browser, site)
  const { page, context } = visitor
  const frame = keyFrameOf(await page.evaluate<string>(noisyPicture(WIDTH, HEIGHT)))
  const frameCount = Math.ceil(FILM_BYTES / frame.length)
  const film = { frame, frameCount, frameMs: FRAME_MS, width: WIDTH, height: HEIGHT }
  async function* source() {
    yield* webmOf(film)
  }
  await site.store.upload(site.identity, {
    name: 'film.webm',
    source: source(),
    type: 'video/webm',
  })
  const { sizeBytes } = await site.store.stat(site.identity, 'film.webm')
  assert.ok(sizeBytes >= FILM_BYTES)

  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  const films = new Set<string>()
  let receivedBytes = 0
  session.on('Network.requestWillBeSent', ({ requestId, request }) => {
    if (request.url.endsWith('/files/film.webm')) films.add(requestId)
  })
  session.on('Network.dataReceived', ({ requestId, dataLength }) => {
    if (films.has(requestId)) receivedBytes += dataLength
  })
  await row(page, 'film.webm').getByRole('link', { name: 'film.webm', exact: true }).click()
  const video = page.getByRole('dialog').locator('video')
  await video.waitFor()
  const isShown = () =>
    video.evaluate((one: HTMLVideoElement) => one.readyState >= 2 && !one.seeking)
  assert.ok(await settled(isShown), 'the film begins')
  const lastSecond = frameCount - 5
  for (const second of [lastSecond, Math.floor(frameCount / 2)]) {
    const startMs = performance.now()
    await video.evaluate((one: HTMLVideoElement, to) => {
      one.currentTime = to
    }, second)
    assert.ok(await settled(isShown), `second ${second} is seen`)
    const tookMs = Math.round(performance.now() - startMs)
    t.diagnostic(`second ${second} of ${frameCount} after ${tookMs} ms`)
  }
  t.diagnostic(`${films.size} requests, ${receivedBytes} of ${sizeBytes} bytes`)
  assert.ok(films.size >= 3, 'ranges are asked for')
  assert.ok(receivedBytes < sizeBytes / 4, `${receivedBytes} of ${sizeBytes} bytes`)
})
