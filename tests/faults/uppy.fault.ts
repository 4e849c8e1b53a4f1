// Uploads by the real Uppy in a real Chromium that pause and go on at random points, while nodes
// are restarted and the gateway is killed and comes back: every file is right, and nothing else is
// left.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { build, type Rolldown } from 'vite'
import { call, type Reply } from '../gateway/http/client.ts'
import { visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser, type Visitor } from '../support/browser.ts'
import { ROW, sha256Hex } from '../support/content.ts'
import { type RunningProcess, startProcess } from '../support/process.ts'
import { below, type Random, randomOf, seedFor } from '../support/random.ts'
import { type Site, startSite } from '../support/site.ts'
import { ROOT } from '../support/sources.ts'

const COUNT = Number(process.env.FOURFOLD_TRIALS ?? 20)
const MAX_TRIES = 100
/** Half a second each. */
const SETTLE_TRIES = 60

type Trouble = 'pause' | 'restart node' | 'kill gateway'

/** What a trial is told, inside the page. */
interface Plan {
  name: string
  sizeBytes: number
  seed: number
  /** Shares of the file at which it pauses, ascending. */
  points: number[]
  patchBytes: number
}

let site: Site
let browser: Browser
let visitor: Visitor
let gateway: RunningProcess | undefined

before(async () => {
  if (skip !== false) return
  site = await startSite()
  browser = await startBrowser()
  visitor = await visitApp(browser, site, { bypassesPolicy: true })
  await visitor.page.addScriptTag({ content: await kit() })
})

after(async () => {
  // The visit ends with the browser: what it complained about was to be expected.
  await browser?.[Symbol.asyncDispose]()
  await gateway?.kill('SIGKILL')
  await site?.[Symbol.asyncDispose]()
})

async function kit(): Promise<string> {
  const built = (await build({
    ...{ configFile: false, logLevel: 'silent', root: join(ROOT, 'tests/faults') },
    build: {
      ...{ write: false, minify: false },
      lib: { entry: 'uppy-kit.ts', formats: ['iife'], name: 'kit' },
    },
  })) as Rolldown.RolldownOutput[]
  return built[0]!.output[0].code
}

/** The same gateway again: the page knows it by its port, and its cookie by its key. */
async function restartGateway(): Promise<void> {
  const [running] = site.cluster.gateways
  const old = gateway ?? running!
  await old.kill('SIGKILL')
  const args = running!.child.spawnargs.slice(1)
  args[args.indexOf('--port') + 1] = new URL(site.url).port
  gateway = startProcess({ args })
  await gateway.waitFor(/listens on (http\S+)/)
}

async function befall(trouble: Trouble, random: Random): Promise<void> {
  if (trouble === 'kill gateway') await restartGateway()
  if (trouble !== 'restart node') return
  const node = site.cluster.nodes[below(4, random)]!
  await node.kill()
  await node.start()
}

/** Nodes and the gateway that just started take a moment to know each other. */
async function ask(path: string): Promise<Reply> {
  for (let tries = 0; ; tries++) {
    // No connection of before: its gateway may be gone.
    const reply = await call(site.url + path, { headers: { connection: 'close' } })
    if (reply.status !== 503 || tries === MAX_TRIES) return reply
    await pause(100)
  }
}

/** Runs inside the page; answers the SHA-256 of what it sent. */
async function uploadInPage(plan: Plan): Promise<string> {
  // biome-ignore lint/suspicious/noExplicitAny: Uppy's script made these names in the page
  const { kit, befall } = globalThis as any
  const bytes = new Uint8Array(plan.sizeBytes)
  let state = plan.seed
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes[at] = state >>> 24
  }
  const uppy = new kit.Uppy({ autoProceed: false }).use(kit.Tus, {
    endpoint: `${location.origin}/uploads`,
    retryDelays: [100, 300, 1000, 2000, 4000, 4000, 8000],
    chunkSize: plan.patchBytes,
  })
  uppy.addFile({ name: plan.name, data: new File([bytes], plan.name) })
  const points = [...plan.points]
  let trouble = Promise.resolve()
  const stumble = async () => {
    // As a person's click comes: on its own, not while tus-js-client is making its next request,
    // which then goes out without any of its headers.
    await new Promise((resolve) => setTimeout(resolve))
    uppy.pauseAll()
    await befall()
    uppy.resumeAll()
  }
  uppy.on('upload-progress', (_file: unknown, progress: { bytesUploaded: number }) => {
    if (points.length === 0 || progress.bytesUploaded < points[0]! * plan.sizeBytes) return
    points.shift()
    // One after another: two would both start the gateway.
    trouble = trouble.then(stumble)
  })
  const { failed } = await uppy.upload()
  // An upload may be done before its last trouble is.
  await trouble
  if (failed.length > 0) throw new Error(failed[0].error)
  const hash = await crypto.subtle.digest('SHA-256', bytes)
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

test(`${COUNT} uploads of Uppy pause and go on, and every file is right`, { skip }, async (t) => {
  const random = randomOf(seedFor(t))
  const counts = new Map<string, number>()
  await visitor.page.exposeFunction('befall', async () => {
    const troubles: Trouble[] = ['pause', 'restart node', 'kill gateway']
    const trouble = troubles[below(3, random)]!
    counts.set(trouble, (counts.get(trouble) ?? 0) + 1)
    await befall(trouble, random)
  })
  for (let index = 0; index < COUNT; index++) {
    const name = `uppy-${index}`
    const points = Array.from({ length: below(3, random) }, () => random()).sort()
    const patchBytes = [Number.MAX_SAFE_INTEGER, ROW, 700_001][below(3, random)]!
    const sizeBytes = below(6, random) * ROW + below(ROW, random)
    const plan = { name, sizeBytes, seed: below(0x7fff_ffff, random), points, patchBytes }
    const sent = await visitor.page.evaluate(uploadInPage, plan)
    const file = await ask(`/files/${name}`)
    assert.equal(file.status, 200, file.text)
    assert.equal(sha256Hex(file.body), sent, name)
  }
  for (const [trouble, count] of counts) t.diagnostic(`${count} × ${trouble}`)
  assert.deepEqual((await ask('/uploads')).json, { uploads: [] })
  // A node that was away at the last moment asks the others first what became of its version.
  const staged = () => site.cluster.nodes.flatMap(({ folder }) => readdirSync(`${folder}/staging`))
  for (let tries = 0; tries < SETTLE_TRIES && staged().length > 0; tries++) await pause(500)
  assert.deepEqual(staged(), [])
})
