// Takes the README's pictures anew: `node tests/browser/pictures.ts`. A real gateway and four real
// nodes with real files in them, seen at the address that `npm start` prints; nothing is drawn in
// afterwards.
import assert from 'node:assert/strict'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startBrowser } from '../support/browser.ts'
import { seededBytes } from '../support/content.ts'
import { startSite } from '../support/site.ts'

const PICTURES = fileURLToPath(new URL('../../web/pictures/', import.meta.url))
const MAX_BYTES = 200_000
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
await take('files-light.png', 'light', 590)
await site.withDown([3], () => take('one-node-down.png', 'dark', 640))

async function take(name: string, colorScheme: 'light' | 'dark', height: number): Promise<void> {
  await using visitor = await browser.visit({ url: ADDRESS, colorScheme })
  const { page } = visitor
  await page.setViewportSize({ width: 1280, height })
  await visitor.signIn()
  await page.mouse.move(0, 0)
  const path = join(PICTURES, name)
  await page.screenshot({ path })
  const { size } = await stat(path)
  assert.ok(size < MAX_BYTES, `${name} has ${size} bytes`)
  process.stdout.write(`${name}: ${size} bytes\n`)
}
