// Uploads that are kept, at the level of the store: writers that die between any two steps, and
// what the next one finds.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { dfcConfSchema, loadConf } from '@fourfold/conf'
import { type Admission, createAdmission } from '../../../gateway/dfs/admission.ts'
import { type Cluster, createCluster } from '../../../gateway/dfs/cluster.ts'
import { attemptOfRow } from '../../../gateway/dfs/description.ts'
import { createDigestThreads, type DigestThreads } from '../../../gateway/dfs/digest-threads.ts'
import type { Identity } from '../../../gateway/dfs/identity.ts'
import { finishKept } from '../../../gateway/dfs/kept-finish.ts'
import { KeptSession } from '../../../gateway/dfs/kept-session.ts'
import { attemptsOf, type KeptState } from '../../../gateway/dfs/kept-state.ts'
import { RowDigest } from '../../../gateway/dfs/row-digest.ts'
import type { Store } from '../../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { gathered, ROW, seededBytes, streamed } from '../../support/content.ts'

let testCluster: TestCluster
let store: Store
let identity: Identity
let cluster: Cluster
let admission: Admission
let digestThreads: DigestThreads

before(async () => {
  testCluster = await startCluster()
  await testCluster.addUser('alice', 'wonderland')
  store = await testCluster.store()
  identity = await store.signIn({ user: 'alice', password: 'wonderland', address: 'test' })
  const conf = loadConf({ file: testCluster.dfcConfFile, schema: dfcConfSchema })
  const addresses = testCluster.nodes.map(({ port }, index) => {
    return { index, host: '127.0.0.1', port }
  })
  admission = createAdmission(conf.limits)
  digestThreads = createDigestThreads()
  cluster = createCluster({ addresses, limits: conf.limits })
  await cluster.ready(10_000)
})
after(async () => {
  await Promise.all([cluster.close(), digestThreads.close()])
  await testCluster[Symbol.asyncDispose]()
})

/** A writer that the test drives step by step. */
function take(id: string, offsetBytes: number): Promise<KeptSession> {
  const options = { cluster, identity, keepMs: 60_000, admission, digestThreads }
  return KeptSession.take(options, { id: Buffer.from(id, 'hex'), offsetBytes })
}

async function contentOf(name: string): Promise<Buffer> {
  return gathered((await store.download(identity, { name })).content)
}

test('rows that a dead writer sealed are sealed again in another attempt, and the file is right', async () => {
  const bytes = seededBytes('attempts', 5 * ROW + 9)
  const { id } = await store.uploads.create(identity, { name: 'attempts', sizeBytes: bytes.length })
  const first = await take(id, 0)
  await first.push(bytes.subarray(0, 2 * ROW + 5))
  await first.close()
  first.writer.close()
  for (const endBytes of [3 * ROW, 4 * ROW + 1]) {
    const dying = await take(id, 2 * ROW + 5)
    await dying.push(bytes.subarray(2 * ROW + 5, endBytes))
    await dying.writer.abort()
  }
  assert.equal((await store.uploads.find(identity, id)).offsetBytes, 2 * ROW + 5)
  const last = await take(id, 2 * ROW + 5)
  // Two writers came after the first, which had ended well; neither left anything.
  assert.deepEqual(last.attempts, [0, 2, 2])
  await last.push(bytes.subarray(2 * ROW + 5, 4 * ROW))
  await last.close()
  last.writer.close()
  const rest = streamed(bytes.subarray(4 * ROW))
  await store.uploads.append(identity, { id, offsetBytes: 4 * ROW, source: rest })
  assert.ok((await contentOf('attempts')).equals(bytes))
})

test('an upload whose writer died before the commit becomes the file when somebody asks', async () => {
  for (const sizeBytes of [2 * ROW, 2 * ROW + 1, 3 * ROW - 1]) {
    const name = `almost-${sizeBytes}`
    const bytes = seededBytes(name, sizeBytes)
    const { id } = await store.uploads.create(identity, { name, sizeBytes })
    const dying = await take(id, 0)
    await dying.push(bytes)
    await dying.complete()
    await dying.writer.abort()
    const found = await store.uploads.find(identity, id)
    assert.equal(found.offsetBytes, sizeBytes)
    assert.equal(found.stored?.md5, createHash('md5').update(bytes).digest('hex'))
    assert.ok((await contentOf(name)).equals(bytes))
  }
})

test('what one node was not told of the end of an upload, a listing tells it', async () => {
  const bytes = seededBytes('untold', 2 * ROW + 1)
  const sizeBytes = bytes.length
  const { id } = await store.uploads.create(identity, { name: 'untold', sizeBytes })
  const session = await take(id, 0)
  await session.push(bytes)
  // The gateway dies when it has told three of the nodes.
  const dying: Cluster = {
    ...cluster,
    async tellEach(request) {
      await cluster.callEach([0, 1, 3], () => request)
      return []
    },
  }
  const context = { cluster: dying, identity, keepMs: 60_000, admission, digestThreads }
  await finishKept(context, session)
  session.writer.close()
  const staged = () => readdirSync(join(testCluster.nodes[2]!.folder, 'staging'))
  const isThere = () => staged().some((name) => name.startsWith(id))
  assert.ok(isThere())
  const listed = await store.uploads.list(identity)
  assert.ok(!listed.some((upload) => upload.id === id))
  for (let tries = 0; isThere() && tries < 200; tries++) await pause(50)
  assert.ok(!isThere())
  assert.ok((await contentOf('untold')).equals(bytes))
})

test('a writer that was overtaken can add nothing more, and what it sent does not count', async () => {
  const bytes = seededBytes('overtaken', 3 * ROW)
  const { id } = await store.uploads.create(identity, { name: 'overtaken', sizeBytes: 3 * ROW })
  const old = await take(id, 0)
  await old.push(bytes.subarray(0, ROW + 1))
  const next = await take(id, 0)
  await assert.rejects(
    async () => {
      await old.push(Buffer.alloc(ROW))
      await old.close()
    },
    { code: 'UPLOAD_LOCKED' },
  )
  await next.push(bytes.subarray(0, 7))
  await next.close()
  next.writer.close()
  await old.writer.abort()
  assert.equal((await store.uploads.find(identity, id)).offsetBytes, 7)
  const source = streamed(bytes.subarray(7))
  await store.uploads.append(identity, { id, offsetBytes: 7, source })
  assert.ok((await contentOf('overtaken')).equals(bytes))
})

test('who is overtaken between the last byte and the commit is told to ask again', async () => {
  const bytes = seededBytes('overtaken', 2 * ROW + 1)
  const sizeBytes = bytes.length
  const { id } = await store.uploads.create(identity, { name: 'overtaken', sizeBytes })
  const dying = await take(id, 0)
  await dying.push(bytes)
  await dying.complete()
  await dying.writer.abort()
  const late = await take(id, sizeBytes)
  const next = await take(id, sizeBytes)
  const context = { cluster, identity, keepMs: 60_000, admission, digestThreads }
  // Never UPLOAD_UNKNOWN: a client that is told so begins anew.
  await assert.rejects(finishKept(context, late), { code: 'UPLOAD_LOCKED' })
  await late.writer.abort()
  await finishKept(context, next)
  next.writer.close()
  assert.ok((await contentOf('overtaken')).equals(bytes))
})

test('a source that fails leaves what came before, or nothing where it counts as a whole only', async () => {
  async function* failing() {
    yield Buffer.alloc(ROW + 10)
    throw new Error('gone')
  }
  for (const isAtomic of [false, true]) {
    const name = `failing-${isAtomic}`
    const { id } = await store.uploads.create(identity, { name, sizeBytes: 9 * ROW })
    const request = { id, offsetBytes: 0, source: failing(), isAtomic }
    await assert.rejects(store.uploads.append(identity, request), /gone/)
    const { offsetBytes } = await store.uploads.find(identity, id)
    assert.equal(offsetBytes, isAtomic ? 0 : ROW + 10)
    await store.uploads.drop(identity, id)
  }
})

test('each take has an attempt of its own, unless the one before it ended well', () => {
  const state = { attempts: [0, 4], take: 5, closed: true } as unknown as KeptState
  assert.deepEqual(attemptsOf(state, 9, 6), [0, 4])
  assert.deepEqual(attemptsOf(state, 9, 7), [0, 4, 9])
  assert.deepEqual(attemptsOf({ ...state, closed: false }, 9, 6), [0, 4, 9])
  assert.deepEqual(attemptsOf({ ...state, closed: false }, 9, 8), [0, 4, 9, 9, 9])
  assert.equal(attemptOfRow([0, 4, 9, 9, 9], 9), 4)
  assert.equal(attemptOfRow([0, 4, 9, 9, 9], 8), 1)
  assert.throws(() => attemptsOf(state, 9, 400), { code: 'UPLOAD_UNKNOWN' })
})

test('an MD5 that goes on from its state is that of all bytes', async () => {
  const bytes = seededBytes('digest', 3 * 64 * 1000 + 11)
  const whole = createHash('md5').update(bytes).digest()
  for (const rows of [0, 1, 2, 3]) {
    const at = rows * 64_000
    const first = await RowDigest.create()
    first.update(bytes.subarray(0, at))
    const next = await RowDigest.resume(first.state(), at)
    next.update(bytes.subarray(at))
    assert.deepEqual(next.finish(), whole)
  }
  // RFC 1321 section 3.3: the words before the first block.
  const start = (await RowDigest.create()).state()
  assert.equal(start.toString('hex'), '0123456789abcdeffedcba9876543210')
  // 2^29 + 64 bytes and more: the count of bits is longer than 32 bits.
  const far = await RowDigest.resume(start, 2 ** 32 + 64)
  far.update(bytes.subarray(0, 64))
  const tail = Buffer.alloc(64)
  tail[0] = 0x80
  tail.writeBigUInt64LE(8n * (2n ** 32n + 128n), 56)
  const expected = await RowDigest.resume(start, 0)
  expected.update(bytes.subarray(0, 64))
  expected.update(tail)
  assert.deepEqual(far.finish(), expected.state())
})
