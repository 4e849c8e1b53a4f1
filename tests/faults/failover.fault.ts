// One node dies, hangs, crawls or sends damage at a chosen byte of a transfer. A download goes on
// from the twin and is whole; an upload fails with the node's name, and nothing of it is visible.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { request } from 'undici'
import { basic } from '../gateway/http/client.ts'
import { ROW, seededBytes, sha256Hex } from '../support/content.ts'
import { ALL_NODES, type Arena, password, startArena } from './arena.ts'

const SIZE_BYTES = 200 * ROW
/** Of an upload that is to fail. */
const LOST_BYTES = 32 * ROW
const LIMIT_MS = 60_000
/** The gateways here give a silent node 2 s, and the downloads of a loaded machine are uneven. */
const LOST_MS = 10_000
/** The same for an upload with a node that says nothing more, from its first byte to its answer. */
const FAILED_MS = 20_000
const authorization = basic('ann', password('ann'))

let arena: Arena
let bytes: Buffer
let undisturbedMs: number

before(async () => {
  // Seconds of work, in which the relays of this process would answer no node's pings.
  bytes = seededBytes('failover', SIZE_BYTES)
  arena = await startArena()
  const reply = await put('kept', whole(), SIZE_BYTES)
  assert.equal(reply.status, 201)
  undisturbedMs = (await download()).tookMs
})

after(() => arena?.[Symbol.asyncDispose]())

interface Fault {
  begin(): Promise<void> | void
  end(): Promise<void> | void
}

/** What befalls DFS3, and how it gets over it. */
const faults: Record<string, Fault> = {
  killed: { begin: () => node().kill(), end: restart },
  stopped: { begin: () => node().kill('SIGSTOP'), end: () => node().kill('SIGCONT') },
  'cut off': { begin: () => relay().become({ kind: 'cut' }), end: fair },
  crawling: { begin: () => relay().become({ kind: 'slow', bytesPerSecond: 2000 }), end: fair },
  corrupting: {
    begin: () => relay().become({ kind: 'noisy', way: 'down', everyBytes: 100_000 }),
    end: fair,
  },
}

const node = () => arena.cluster.nodes[2]!
const relay = () => arena.gateways[0]!.relays[2]!

/** Also where it was not killed, because the transfer did not come that far. */
async function restart(): Promise<void> {
  await node().kill()
  await node().start()
}

function mended(fault: Fault): () => Promise<void> {
  return async () => {
    await fault.end()
    await arena.whenSeen(ALL_NODES)
  }
}

function fair(): void {
  relay().become({ kind: 'fair' })
}

for (const [what, fault] of Object.entries(faults)) {
  for (const percent of [1, 50, 99]) {
    test(`a node that is ${what} at ${percent} % of a download is replaced`, async (t) => {
      const { tookMs, digest } = await download({ percent, begin: fault.begin }).finally(
        mended(fault),
      )
      assert.equal(digest, sha256Hex(bytes))
      t.diagnostic(`${Math.round(tookMs - undisturbedMs)} ms lost of ${Math.round(tookMs)} ms`)
      // What a node that is silent or slow may cost, and as much again for a busy machine.
      assert.ok(tookMs < 2 * undisturbedMs + LOST_MS, `${tookMs}`)
    })
  }
}

for (const what of ['killed', 'stopped', 'cut off'] as const) {
  for (const percent of [1, 50, 100]) {
    test(`a node that is ${what} at ${percent} % of an upload fails it by name`, async (t) => {
      const fault = faults[what]!
      const body = interrupted(percent, fault.begin)
      const reply = await put('lost', body, LOST_BYTES).finally(mended(fault))
      const { tookMs } = reply
      t.diagnostic(`${reply.status} ${reply.code} after ${Math.round(tookMs)} ms`)
      assert.deepEqual([reply.status >= 502, reply.nodes], [true, ['DFS3']], reply.code)
      assert.ok(tookMs < FAILED_MS, `${tookMs}`)
      assert.equal((await get('lost')).statusCode, 404)
      await untilNothingStaged()
    })
  }
}

test('the gateway and the nodes are whole after all that', async () => {
  const reply = await put('lost', whole(), SIZE_BYTES)
  assert.equal(reply.status, 201)
  assert.equal((await download({ name: 'lost' })).digest, sha256Hex(bytes))
})

function get(name: string) {
  const { url } = arena.gateways[0]!
  return request(`${url}/files/${name}`, { headers: { authorization } })
}

/** Downloads a file; calls `begin` once `percent` of it has come. */
async function download(
  options: { name?: string; percent?: number; begin?: () => Promise<void> | void } = {},
): Promise<{ tookMs: number; digest: string }> {
  const { name = 'kept', percent = 101, begin = () => {} } = options
  const startMs = performance.now()
  const { statusCode, body } = await get(name)
  assert.equal(statusCode, 200, statusCode === 200 ? '' : await body.text())
  const parts: Buffer[] = []
  let sizeBytes = 0
  let isBegun = false
  for await (const part of body) {
    parts.push(part)
    sizeBytes += part.length
    if (isBegun || sizeBytes < (SIZE_BYTES * percent) / 100) continue
    isBegun = true
    await begin()
  }
  return { tookMs: performance.now() - startMs, digest: sha256Hex(Buffer.concat(parts)) }
}

interface PutReply {
  tookMs: number
  status: number
  code: string | undefined
  nodes: string[] | undefined
}

async function put(
  name: string,
  body: AsyncIterable<Buffer>,
  sizeBytes: number,
): Promise<PutReply> {
  const startMs = performance.now()
  const answer = await request(`${arena.gateways[0]!.url}/files/${name}`, {
    method: 'PUT',
    headers: { authorization, 'content-length': String(sizeBytes) },
    body: body as unknown as Buffer,
    headersTimeout: LIMIT_MS,
  })
  const { code, nodes } = (await answer.body.json()) as Partial<PutReply>
  const tookMs = performance.now() - startMs
  return { tookMs, status: answer.statusCode, code, nodes }
}

async function* whole(): AsyncGenerator<Buffer> {
  for (let at = 0; at < SIZE_BYTES; at += ROW) yield bytes.subarray(at, at + ROW)
}

async function* interrupted(
  percent: number,
  begin: () => Promise<void> | void,
): AsyncGenerator<Buffer> {
  const at = Math.min(LOST_BYTES - 1, (LOST_BYTES * percent) / 100)
  for (let from = 0; from < LOST_BYTES; from += ROW) {
    // The last byte comes after the fault, so that the gateway still waits for it.
    const end = Math.min(from + ROW, LOST_BYTES - 1)
    if (from <= at && at < from + ROW) await begin()
    yield bytes.subarray(from, end)
  }
  yield bytes.subarray(LOST_BYTES - 1, LOST_BYTES)
}

async function untilNothingStaged(): Promise<void> {
  const deadlineMs = performance.now() + 10_000
  while (arena.staged().length > 0) {
    assert.ok(performance.now() < deadlineMs, `left in staging: ${arena.staged()}`)
    await wait(20)
  }
}
