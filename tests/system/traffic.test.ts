// Promise 5: a download moves one instance of each part, spread over the live nodes, and a range no
// more than the rows that it touches. Proved by the byte counters of the nodes themselves.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { rangeParts } from '../support/multipart.ts'
import { nodeStatus, whenGatewaySees } from '../support/watching.ts'

const TAG_BYTES = 16
const LARGE_BYTES = 20 * ROW + 12_345
/** Single rows whose pieces are in the catalog (they come with the lookup), and one that is not. */
const SMALL_SIZES = [0, 1, 5, 1000, 262_128]
const ONE_ROW_IN_FILES = 700_001
/** What frames may add: heads of about 150 bytes for each piece, and the talk around it. */
const FRAMING_SHARE = 0.01
const FRAMING_BYTES = 20_000

let cluster: TestCluster
let url: string

before(async () => {
  // However busy this machine is: none of the nodes is slow.
  cluster = await startCluster({ gateways: 1, dfcConf: 'limits.slow_ms = 20000' })
  await cluster.addUser('alice', 'correct horse')
  url = cluster.urls[0]!
  for (const size of [...SMALL_SIZES, ONE_ROW_IN_FILES, LARGE_BYTES]) {
    const body = contentOf(size)
    assert.equal((await call(`${url}/files/${size}`, { method: 'PUT', body })).status, 201)
  }
})

after(() => cluster[Symbol.asyncDispose]())

function contentOf(size: number): Buffer {
  return seededBytes(`traffic ${size}`, size)
}

function sealedBytes(size: number, rows = Math.max(1, Math.ceil(size / ROW))): number {
  return size + rows * TAG_BYTES
}

interface Moved {
  /** Bytes of pieces that each live node sent, in order of the nodes; 0 for one that is down. */
  pieces: number[]
  total: number
  /** All bytes that the nodes sent, frames and answers to pings included. */
  sent: number
}

/** What the nodes `numbers` sent while `run` ran. */
async function moved(run: () => Promise<void>, numbers = [1, 2, 3, 4]): Promise<Moved> {
  const read = () => Promise.all(numbers.map((number) => nodeStatus(cluster, number)))
  const before = await read()
  await run()
  const now = await read()
  const grown = (field: 'pieceBytesSent' | 'sentBytes') =>
    now.map((status, index) => status[field] - before[index]![field])
  const pieces = [0, 0, 0, 0]
  for (const [index, bytes] of grown('pieceBytesSent').entries()) {
    pieces[numbers[index]! - 1] = bytes
  }
  return { pieces, total: sum(pieces), sent: sum(grown('sentBytes')) }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

async function download(size: number, range?: [from: number, to: number]): Promise<void> {
  const headers: Record<string, string> = range ? { range: `bytes=${range[0]}-${range[1]}` } : {}
  const answer = await call(`${url}/files/${size}`, { headers })
  const expected = range ? contentOf(size).subarray(range[0], range[1] + 1) : contentOf(size)
  assert.equal(answer.status, range ? 206 : 200)
  assert.equal(md5Hex(answer.body), md5Hex(expected))
}

test('a large download moves each part once, a quarter from each of the four nodes', async (t) => {
  const { pieces, total, sent } = await moved(() => download(LARGE_BYTES))
  const sealed = sealedBytes(LARGE_BYTES)
  t.diagnostic(`${sealed} sealed bytes; pieces from the nodes: ${pieces}; sent in all: ${sent}`)
  assert.equal(total, sealed)
  // The lanes of one file differ by a byte at most.
  for (const bytes of pieces) assert.ok(Math.abs(bytes - sealed / 4) < 1, `${pieces}`)
  assert.ok(sent < sealed * (1 + FRAMING_SHARE) + FRAMING_BYTES, `${sent} for ${sealed}`)
})

test('a row of its own that is not in the catalog also comes from all four nodes', async () => {
  const { pieces, total } = await moved(() => download(ONE_ROW_IN_FILES))
  assert.equal(total, sealedBytes(ONE_ROW_IN_FILES))
  assert.ok(pieces.every((bytes) => bytes > 0))
})

test('a small download moves each part once, from two opposite nodes', async () => {
  for (const size of SMALL_SIZES) {
    const { pieces, total } = await moved(() => download(size))
    assert.equal(total, sealedBytes(size), `${size} bytes: ${pieces}`)
    const senders = pieces.flatMap((bytes, node) => (bytes > 0 ? [node] : []))
    assert.equal(senders.length, 2, `${pieces}`)
    assert.equal(senders[1]! - senders[0]!, 2, `${pieces}`)
  }
})

test('many small downloads keep all four nodes busy', async () => {
  const { pieces, total } = await moved(async () => {
    for (let index = 0; index < 40; index++) await download(1000)
  })
  assert.equal(total, 40 * sealedBytes(1000))
  assert.ok(
    pieces.every((bytes) => bytes > 0),
    `${pieces}`,
  )
})

test('a range moves the rows that it touches and no more', async () => {
  const last = LARGE_BYTES - 1
  const ranges: [from: number, to: number, rows: number, bytes?: number][] = [
    [0, 0, 1],
    [ROW - 1, ROW - 1, 1],
    [ROW - 1, ROW, 2],
    [ROW, 2 * ROW - 1, 1],
    [5 * ROW + 7, 7 * ROW + 7, 3],
    [last, last, 1, sealedBytes(LARGE_BYTES % ROW)],
    [20 * ROW - 1, last, 2, sealedBytes(ROW) + sealedBytes(LARGE_BYTES % ROW)],
  ]
  for (const [from, to, rows, bytes = rows * sealedBytes(ROW)] of ranges) {
    const { total } = await moved(() => download(LARGE_BYTES, [from, to]))
    assert.equal(total, bytes, `bytes ${from} to ${to}`)
  }
})

test('several ranges in one request move each row that they touch once', async () => {
  const content = contentOf(LARGE_BYTES)
  const at = (row: number, offset = 0) => [row * ROW + offset, row * ROW + offset + 9] as const
  const cases: [ranges: (readonly [from: number, to: number])[], rows: number][] = [
    [[at(0), at(0, 500)], 1],
    [[at(0), at(1)], 2],
    [[at(0), at(5)], 2],
    [[at(5), at(0)], 2],
    [[at(0, ROW - 5), at(5, 3)], 3],
    [[at(2), at(2, 200), at(2, 400), at(4), at(4, 200)], 2],
  ]
  for (const [ranges, rows] of cases) {
    const header = `bytes=${ranges.map(([from, to]) => `${from}-${to}`).join()}`
    const { total } = await moved(async () => {
      const answer = await call(`${url}/files/${LARGE_BYTES}`, { headers: { range: header } })
      const parts = rangeParts(answer.headers['content-type']!, answer.body)
      assert.equal(parts.length, ranges.length)
      for (const { from, to, bytes } of parts)
        assert.ok(bytes.equals(content.subarray(from, to + 1)), header)
    })
    assert.equal(total, rows * sealedBytes(ROW), header)
  }
})

test('what needs no bytes of the file moves none', async () => {
  const { pieces } = await moved(async () => {
    const etag = `"${md5Hex(contentOf(LARGE_BYTES))}"`
    const file = `${url}/files/${LARGE_BYTES}`
    assert.equal((await call(file, { method: 'HEAD' })).status, 200)
    assert.equal((await call(file, { headers: { 'if-none-match': etag } })).status, 304)
    assert.equal((await call(file, { headers: { range: 'bytes=99999999-' } })).status, 416)
    assert.equal((await call(`${file}?describe`)).status, 200)
    assert.equal((await call(`${url}/files`)).status, 200)
  })
  assert.deepEqual(pieces, [0, 0, 0, 0])
})

test('with a node down each part still moves once, and no live node is left out', async (t) => {
  for (const down of [[1], [2], [3], [4], [1, 3]]) {
    const live = [1, 2, 3, 4].filter((number) => !down.includes(number))
    for (const number of down) await cluster.nodes[number - 1]!.kill()
    await whenGatewaySees(url, live)
    for (const size of [LARGE_BYTES, ONE_ROW_IN_FILES, 1000]) {
      const { pieces, total } = await moved(() => download(size), live)
      t.diagnostic(`DFS${down} down, ${size} bytes: ${pieces}`)
      assert.equal(total, sealedBytes(size), `DFS${down} down: ${pieces}`)
      const idle = live.filter((number) => pieces[number - 1] === 0)
      if (size > 1000) assert.deepEqual(idle, [], `${pieces}`)
    }
    for (const number of down) await cluster.nodes[number - 1]!.start()
    await whenGatewaySees(url, [1, 2, 3, 4])
  }
})
