// Forty thousand broken copies of valid frames: the node answers or closes, lives on, keeps what it
// had, and grows no larger. The seed is printed; FOURFOLD_SEED repeats a run.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { newVersion, sectionsOf } from '@fourfold/storage-node/protocol'
import { type Random, randomOf, seedFor } from '../support/random.ts'
import { startNodeProcess, type TestNode } from '../support/storage-node.ts'
import {
  commit,
  newStoredFile,
  prepare,
  prepareOf,
  readPart,
  store,
} from '../support/stored-file.ts'
import { residentBytes } from '../support/watching.ts'
import { accountOf, type Prover, type SendOptions } from '../support/wire-client.ts'

const COUNT = 40_000
const AT_ONCE = 16
/** A small heap is collected often: what then still grows is kept, not only not yet collected. */
process.env.NODE_OPTIONS = '--max-old-space-size=64'
/** A kept upload that is there, and what its writer took it as. */
const KEPT = randomBytes(16)
const TAKEN = randomBytes(16)
const EXPIRES = Date.now() + 3_600_000

test('40,000 mutated frames leave the node alive, right and no larger', async (t) => {
  const random = randomOf(seedFor(t))
  await using server = await startNodeProcess()
  await using client = await server.connect()
  const small = newStoredFile()
  const large = newStoredFile({ rows: 4, pieceBytes: 70_000 })
  await store(client, server.alice, small)
  await commit(client, server.alice, small)
  await prepare(client, server.alice, large)
  await commit(client, server.alice, large)
  const as = server.alice
  const fields = { upload: KEPT, first: 0, expires: EXPIRES, sealed: small.sealed, done: false }
  await client.request('keep-open', fields, { as })
  await client.request('keep-take', { upload: KEPT, as: TAKEN }, { as })
  await client.request('keep-resume', { upload: TAKEN, number: 0 }, { as })

  const run = async (count: number) => {
    let sentCount = 0
    const lanes = Array.from({ length: AT_ONCE }, async () => {
      while (sentCount < count) {
        // Not `+= await`, which would forget what the other lanes added meanwhile.
        const ofThis = await attack(server, random)
        sentCount += ofThis
      }
    })
    await Promise.all(lanes)
  }
  // The first ones only warm up: the heap finds its size.
  await run(COUNT * 0.4)
  const { pid } = server.process.child
  const beforeBytes = residentBytes(pid!)
  await run(COUNT * 0.6)
  const afterBytes = residentBytes(pid!)
  t.diagnostic(`resident ${beforeBytes >> 20} MiB, then ${afterBytes >> 20} MiB`)
  // Three kilobytes that stayed of each head would be more.
  assert.ok(afterBytes < beforeBytes + 32 * 2 ** 20)
  await client.request('ping', {})
  assert.deepEqual(await readPart(client, server.alice, { stored: small, part: 1 }), [
    small.rows[0]![0],
  ])
  assert.deepEqual(
    await readPart(client, server.alice, { stored: large, part: 2 }),
    large.rows.map(([, piece]) => piece),
  )
  assert.doesNotMatch(server.process.output(), /error:/)
})

/** Sends mutated frames over one connection until it ends; answers how many. */
async function attack(server: TestNode, random: Random): Promise<number> {
  await using client = await server.connect()
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    client.socket.destroy()
  }, 30_000)
  let count = 0
  for (let isWhole = true; isWhole; count++) {
    const requests = requestsOf(server.alice, server.cluster('alice'))
    const request = requests[Math.floor(random() * requests.length)]!
    // Most are whole and proved, but wrong inside; then one with broken bytes, after which nothing
    // counts.
    isWhole = random() < 0.8
    const fields = isWhole ? mutateFields(request.fields, random) : request.fields
    const frame = client.rawFrame(fields, request)
    client.socket.write(isWhole ? frame : mutate(frame, random))
  }
  client.socket.end()
  await client.closed
  clearTimeout(timer)
  assert.ok(!isLate, 'the node neither answered nor closed')
  return count
}

/** A valid request of every command but those that would change or end the test's account. */
function requestsOf(as: Prover, operator: Prover): Request[] {
  const stored = newStoredFile({ pieceBytes: 300 })
  const { file, version, x, sealed, rows } = stored
  const upload = randomBytes(16)
  const body = rows[0]!
  const sections = { body: sectionsOf(body) }
  const account = accountOf('alice', randomBytes(32), 2)
  const later = newVersion(Date.now())
  return [
    { fields: { op: 'ping' } },
    { fields: { op: 'salt', user: 'alice' } },
    { fields: { op: 'account' }, as },
    { fields: { op: 'account-prepare', account }, as },
    { fields: { op: 'account-abort', change: 2 }, as },
    { fields: { op: 'account-list', after: '' }, as: operator },
    { fields: { op: 'status' }, as: operator },
    { fields: { op: 'lookup', file, withParts: true }, as },
    { fields: { op: 'changes', since: 0, limit: 100, brief: false }, as },
    { fields: { op: 'read', file, version, part: 1, from: 0, to: 1 }, as },
    { fields: { op: 'open', upload, first: 0, size: 1000 }, as },
    { fields: { op: 'append', upload, row: 0, ...sections }, as, body },
    { fields: { op: 'staged', upload }, as },
    { fields: { op: 'prepare', ...prepareOf(stored, upload) }, as },
    { fields: { op: 'store', file, version, x, sealed, condition: null, ...sections }, as, body },
    { fields: { op: 'commit', file, version }, as },
    { fields: { op: 'abort-version', file, version }, as },
    { fields: { op: 'delete', file, version: later }, as },
    { fields: { op: 'move', file, version, source: upload, sourceVersion: later, sealed }, as },
    { fields: { op: 'abort-upload', upload }, as },
    ...keptRequests(as, { upload, sealed, body }),
    { fields: { op: 'scrub' }, as: operator },
    { fields: { op: 'peer-changes', since: 0, limit: 100 }, as: operator },
    { fields: { op: 'peer-accounts', since: 0, limit: 100 }, as: operator },
    { fields: { op: 'peer-entry', file, version, decide: true }, as: operator },
    { fields: { op: 'peer-known', node: 2, epoch: upload }, as: operator },
    { fields: { op: 'peer-part', file, version, part: 1 }, as: operator },
    { fields: { op: 'peer-prove', challenge: randomBytes(32) }, as: operator },
  ]
}

/** Of an upload that is there as often as of one that is not. */
function keptRequests(
  as: Prover,
  { upload, sealed, body }: { upload: Buffer; sealed: Buffer; body: readonly Buffer[] },
): Request[] {
  const point = { number: 1, rows: 0, expires: EXPIRES, sealed }
  const sections = { body: sectionsOf(body) }
  return [
    { fields: { op: 'keep-open', upload, first: 1, expires: EXPIRES, sealed, done: false }, as },
    { fields: { op: 'keep-list', after: Buffer.alloc(0) }, as },
    ...[KEPT, upload].flatMap((id) => [
      { fields: { op: 'keep-look', upload: id }, as },
      { fields: { op: 'keep-take', upload: id, as: upload }, as },
      { fields: { op: 'keep-done', upload: id, sealed }, as },
    ]),
    ...[TAKEN, upload].flatMap((id) => [
      { fields: { op: 'keep-resume', upload: id, number: 0 }, as },
      { fields: { op: 'keep-point', upload: id, ...point }, as },
      { fields: { op: 'keep-point', upload: id, ...point, ...sections }, as, body },
      { fields: { op: 'append', upload: id, row: 0, ...sections }, as, body },
    ]),
  ]
}

interface Request extends SendOptions {
  fields: Record<string, unknown>
}

/** Puts something unfit in the place of a field, drops it, or adds one. */
function mutateFields(fields: Record<string, unknown>, random: Random): Record<string, unknown> {
  const unfit: unknown[] = [
    ...[null, true, -1, 1.5, 2 ** 53 - 1, '', 'x'.repeat(300), '\u0000', [], {}, [[0, 0]]],
    ...[Buffer.alloc(0), Buffer.alloc(16), Buffer.alloc(9000), { op: 'ping' }, [[[[]]]], 4, 0],
  ]
  const names = [...Object.keys(fields), 'extra', '__proto__', 'body']
  const name = names[Math.floor(random() * names.length)]!
  const changed = new Map<string, unknown>(Object.entries(fields))
  if (random() < 0.2) changed.delete(name)
  else changed.set(name, unfit[Math.floor(random() * unfit.length)])
  return Object.fromEntries(changed)
}

/** Flips, cuts, doubles, inserts, or lies about a length. */
function mutate(frame: Buffer, random: Random): Buffer {
  const at = Math.floor(random() * frame.length)
  const count = 1 + Math.floor(random() * 4)
  const changed = Buffer.from(frame)
  switch (Math.floor(random() * 6)) {
    case 0:
      for (let index = 0; index < count; index++) {
        changed[Math.floor(random() * frame.length)]! ^= 1 << Math.floor(random() * 8)
      }
      return changed
    case 1:
      return changed.subarray(0, at)
    case 2:
      return Buffer.concat([frame.subarray(0, at), frame.subarray(Math.floor(at / 2))])
    case 3:
      return Buffer.concat([frame.subarray(0, at), randomBytes(count * 7), frame.subarray(at)])
    case 4:
      changed.writeUInt32BE(Math.floor(random() * 70_000), 4 * (2 + (count % 2)))
      return changed
    default:
      return changed.fill(Math.floor(random() * 256), at, Math.min(at + count * 9, frame.length))
  }
}
