// Takes the README's pictures anew: `node tests/browser/pictures.ts`. A real gateway and four real
// nodes with real files in them, seen at the address that `npm start` prints; nothing is drawn in
// afterwards.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { row, signInToApp } from '../support/app-visit.ts'
import { startBrowser, type Visitor } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { startSite } from '../support/site.ts'

const PICTURES = fileURLToPath(new URL('../../web/pictures/', import.meta.url))
const MAX_BYTES = 200_000
const SLOW_BYTES_PER_SECOND = 8_000_000
const ADDRESS = 'http://localhost:8080'

const FILES: [name: string, sizeBytes: number, modified: string][] = [
  ['Grand Canyon, south rim.jpg', 8_204_331, '2026-11-22T09:02Z'],
  ['dfs.conf', 412, '2026-11-14T16:20Z'],
  ['interview-with-nana.m4a', 61_203_944, '2026-11-22T08:40Z'],
  ['lab-3-wireshark-capture.pcapng', 188_320_116, '2026-11-22T09:17Z'],
  ['lectures/01-sockets.pdf', 3_204_115, '2026-11-03T10:00Z'],
  ['lectures/02-reliable-transfer.pdf', 4_410_906, '2026-11-10T10:00Z'],
  ['lectures/03-congestion.pdf', 5_120_377, '2026-11-17T10:00Z'],
  ['thesis-draft-07.pdf', 4_823_112, '2026-11-22T09:26Z'],
]

await using site = await startSite()
for (const [name, sizeBytes, modified] of FILES) {
  await site.put(name, seededBytes(name, sizeBytes), { modifiedMs: Date.parse(modified) })
}
const { host } = new URL(site.url)
await using browser = await startBrowser([`--host-resolver-rules=MAP localhost:8080 ${host}`])
await mkdir(PICTURES, { recursive: true })
const folder = await mkdtemp(join(tmpdir(), 'fourfold-pictures-'))
const recording = join(folder, 'lecture-14-consensus.mkv')
await writeFile(recording, seededBytes('lecture', 48_000_000))
for (const scheme of ['light', 'dark'] as const) await take(`files-${scheme}.png`, scheme, whole)
await site.withDown([3], () => take('one-node-down.png', 'light', async () => {}))
await rm(folder, { recursive: true })

/** A file picked, so that the ring tells its parts, and an upload under way. */
async function whole({ page, context }: Visitor): Promise<void> {
  await row(page, 'Grand Canyon, south rim.jpg').click({ position: { x: 400, y: 20 } })
  const session = await context.newCDPSession(page)
  await session.send('Network.emulateNetworkConditions', {
    ...{ offline: false, latency: 0, downloadThroughput: -1 },
    uploadThroughput: SLOW_BYTES_PER_SECOND,
  })
  await page.locator('#choose-files').setInputFiles(recording)
  await page.getByText(/^[\d.]+ MB\/s, \d+ s left$/).waitFor()
  await page
    .getByText(/^3\d\.\d MB of 48\.0 MB$/)
    .first()
    .waitFor()
}

async function take(
  name: string,
  colorScheme: 'light' | 'dark',
  prepare: (visitor: Visitor) => Promise<void>,
): Promise<void> {
  await using visitor = await browser.visit({ url: ADDRESS, colorScheme, isScriptless: false })
  const { page } = visitor
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
  await page.setViewportSize({ width: 1280, height: 684 })
  await visitor.open('/')
  await signInToApp(page)
  await page.evaluate('document.activeElement.blur()')
  await prepare(visitor)
  await page.mouse.move(0, 0)
  const path = join(PICTURES, name)
  await page.screenshot({ path })
  // What is not whole would be in the next picture.
  const cancel = page.getByRole('button', { name: 'Cancel all' })
  if (await cancel.isVisible()) await cancel.click()
  const { size } = await stat(path)
  assert.ok(size < MAX_BYTES, `${name} has ${size} bytes`)
  process.stdout.write(`${name}: ${size} bytes\n`)
}
