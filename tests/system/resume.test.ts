// Uploads that break off in a real cluster: with nodes that die and come back, gateways that take
// over from each other, and time that runs out.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { call, type Reply } from '../gateway/http/client.ts'
import { ROW, seededBytes } from '../support/content.ts'
import { below, randomOf, seedFor } from '../support/random.ts'
import { startRelay } from '../support/relay.ts'
import { trialsOn } from '../support/resume-trials.ts'
import { type Site, startSite } from '../support/site.ts'

const TRIALS = 5
const BODY = 'application/offset+octet-stream'
const VERSION = { 'tus-resumable': '1.0.0' }

let site: Site
/** Of the gateways that live. */
let urls: string[]

before(async () => {
  site = await startSite({ gateways: 2 })
  urls = site.cluster.urls
})

after(() => site[Symbol.asyncDispose]())

async function open(url: string, name: string, sizeBytes: number): Promise<string> {
  const metadata = `filename ${Buffer.from(name).toString('base64')}`
  const length = { 'upload-length': String(sizeBytes), 'upload-metadata': metadata }
  const answer = await call(`${url}/uploads`, {
    method: 'POST',
    headers: { ...VERSION, ...length },
  })
  assert.equal(answer.status, 201, answer.text)
  return answer.headers.location!
}

const patch = (address: string, offset: number, body: Buffer | AsyncIterable<Uint8Array>) =>
  call(address, {
    method: 'PATCH',
    body,
    headers: { ...VERSION, 'content-type': BODY, 'upload-offset': String(offset) },
  })
const head = (address: string) => call(address, { method: 'HEAD', headers: VERSION })

/** Asks again while the gateway says that nodes are away. */
async function settled(ask: () => Promise<Reply>): Promise<Reply> {
  for (let tries = 0; ; tries++) {
    const answer = await ask()
    if (![423, 503].includes(answer.status) || tries === 200) return answer
    await pause(100)
  }
}

function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
}

/** A body that is sent as far as the test says. */
function tap(bytes: Buffer) {
  let at = 0
  let wake = () => {}
  let limit = 0
  return {
    open(toBytes: number) {
      limit = toBytes
      wake()
    },
    async *[Symbol.asyncIterator]() {
      while (at < bytes.length) {
        const end = Math.min(limit, at + 65_536)
        if (end > at) {
          yield bytes.subarray(at, end)
          at = end
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    },
  }
}

async function untilOffset(address: string, isRight: (offset: number) => boolean): Promise<number> {
  for (let tries = 0; tries < 300; tries++) {
    const offset = Number((await settled(() => head(address))).headers['upload-offset'])
    if (isRight(offset)) return offset
    await pause(50)
  }
  throw new Error('The offset never came.')
}

test(`${TRIALS} uploads of tus-js-client break off and go on, and every file is right`, async (t) => {
  const random = randomOf(seedFor(t))
  const trials = trialsOn(site.cluster)
  for (let index = 0; index < TRIALS; index++) await trials.run(below(0x7fff_ffff, random))
  await trials.checkNothingLeft()
  urls = trials.urls()
})

test('a node that goes away in mid-upload is named, what was durable stays, and the upload goes on', async () => {
  const bytes = seededBytes('node away', 6 * ROW + 99)
  const address = `${urls[0]!}${await open(urls[0]!, 'node-away', bytes.length)}`
  const body = tap(bytes)
  const sending = patch(address, 0, body)
  body.open(3 * ROW)
  // Seen while the request is under way: bytes become durable before its end.
  const durable = await untilOffset(address, (offset) => offset >= ROW)
  await site.cluster.nodes[2]!.kill()
  body.open(bytes.length)
  const answer = await sending
  assert.equal(answer.status, 503, answer.text)
  assert.equal(answer.json.code, 'NODES_UNAVAILABLE')
  assert.deepEqual(answer.json.nodes, ['DFS3'])
  assert.ok(Number(answer.headers['retry-after']) > 0)
  const refused = await head(address)
  // Clients in use begin anew at 503 to HEAD, and wait at 423.
  assert.equal(refused.status, 423)
  assert.ok(Number(refused.headers['retry-after']) > 0)
  await site.cluster.nodes[2]!.start()
  const { headers } = await settled(() => head(address))
  const offset = Number(headers['upload-offset'])
  assert.ok(offset >= durable, `${offset} after ${durable}`)
  const last = await settled(() => patch(address, offset, bytes.subarray(offset)))
  assert.equal(last.status, 204, last.text)
  assert.ok((await call(`${urls[0]!}/files/node-away`)).body.equals(bytes))
})

test('a gateway takes over an upload from one that still has a request of it', async () => {
  const bytes = seededBytes('taken over', 4 * ROW + 5)
  const [one, two] = urls as [string, string]
  const path = await open(one, 'taken-over', bytes.length)
  const body = tap(bytes)
  const sending = patch(`${one}${path}`, 0, body)
  body.open(2 * ROW + 100)
  const offset = await untilOffset(`${two}${path}`, (reached) => reached >= ROW)
  const last = await settled(() => patch(`${two}${path}`, offset, bytes.subarray(offset)))
  assert.equal(last.status, 204, last.text)
  body.open(bytes.length)
  const late = await sending
  assert.ok([404, 409, 423].includes(late.status), late.text)
  assert.equal((await head(`${one}${path}`)).headers['upload-offset'], String(bytes.length))
  assert.ok((await call(`${two}/files/taken-over`)).body.equals(bytes))
})

test('all nodes and the gateway die in mid-upload, and it goes on where it was', async () => {
  const bytes = seededBytes('all die', 2 * ROW + 77)
  const secret = Buffer.from('attack at dawn')
  secret.copy(bytes, ROW - 100)
  secret.copy(bytes, ROW + 100)
  const path = await open(urls[0]!, 'all-die', bytes.length)
  const kept = await patch(`${urls[0]!}${path}`, 0, bytes.subarray(0, ROW + 500))
  assert.equal(kept.status, 204)
  await Promise.all(site.cluster.nodes.map((node) => node.kill()))
  const killed = site.cluster.urls.indexOf(urls[0]!)
  await site.cluster.gateways[killed]!.kill('SIGKILL')
  for (const { folder } of site.cluster.nodes) {
    for (const text of [secret, Buffer.from('all-die')]) {
      const found = filesOf(folder).filter((file) => readFileSync(file).includes(text))
      assert.deepEqual(found, [])
    }
  }
  await Promise.all(site.cluster.nodes.map((node) => node.start()))
  const url = await site.cluster.startGateway()
  urls = [url, urls[1]!]
  const { headers } = await settled(() => head(`${url}${path}`))
  assert.equal(headers['upload-offset'], String(ROW + 500))
  const last = await patch(`${url}${path}`, ROW + 500, bytes.subarray(ROW + 500))
  assert.equal(last.status, 204, last.text)
  assert.ok((await call(`${url}/files/all-die`)).body.equals(bytes))
})

test('a node that dies just as it is told that an upload is stored learns it when it is back', async () => {
  const { cluster } = site
  const node = cluster.nodes[2]!
  await using relay = await startRelay(() => node.port)
  const text = readFileSync(cluster.dfcConfFile, 'utf8')
  const confFile = join(cluster.folder, 'relayed.conf')
  writeFileSync(confFile, text.replace(`:${node.port}"`, `:${relay.port}"`))
  const url = await cluster.startGateway(confFile)
  const bytes = seededBytes('told late', 3 * ROW + 1)
  const path = await settled(() => call(`${url}/nodes`)).then(() => open(url, 'late', bytes.length))
  const died = Promise.withResolvers<void>()
  const spring = () => died.resolve(node.kill())
  relay.ambush({ sought: Buffer.from('keep-done'), isAnswer: false, spring })
  const stored = await patch(`${url}${path}`, 0, bytes)
  assert.equal(stored.status, 204, stored.text)
  await died.promise
  relay.become({ kind: 'fair' })
  await node.start()
  const staged = () => readdirSync(join(node.folder, 'staging'))
  assert.ok(staged().length > 0, 'it was killed before it heard')
  for (let tries = 0; staged().length > 0 && tries < 100; tries++) await pause(100)
  assert.deepEqual(staged(), [])
  assert.ok((await call(`${urls[1]!}/files/late`)).body.equals(bytes))
})

test('what has expired is gone, and its bytes are freed', async () => {
  const { cluster } = site
  const confFile = join(cluster.folder, 'short.conf')
  const text = readFileSync(cluster.dfcConfFile, 'utf8')
  writeFileSync(confFile, `limits.upload_days = 0.00003\n${text}`)
  const url = await cluster.startGateway(confFile)
  const path = await settled(() => call(`${url}/nodes`)).then(() => open(url, 'expired', 3 * ROW))
  const bytes = seededBytes('expired', ROW + 10)
  assert.equal((await patch(`${url}${path}`, 0, bytes)).status, 204)
  assert.ok(readdirSync(join(cluster.nodes[0]!.folder, 'staging')).length > 0)
  // In the very moment some nodes may say so and others not yet: then it is 410.
  for (let status = 200; status === 200; await pause(200)) {
    status = (await settled(() => head(`${url}${path}`))).status
    assert.ok([200, 404, 410].includes(status), String(status))
  }
  await cluster.nodes[0]!.kill('SIGTERM')
  await cluster.nodes[0]!.start()
  assert.deepEqual(readdirSync(join(cluster.nodes[0]!.folder, 'staging')), [])
})
