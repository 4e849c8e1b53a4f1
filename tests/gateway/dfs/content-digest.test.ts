// The MD5 of an upload is the same on a thread as beside it, however the upload ends, and nobody
// reads a row's memory while another has it.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { ContentDigest, type Promised } from '../../../gateway/dfs/content-digest.ts'
import { createDigestThreads, type DigestThreads } from '../../../gateway/dfs/digest-threads.ts'
import { plainRows } from '../../../gateway/dfs/plain-rows.ts'

const ROW = 1_048_576
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')

interface Digested {
  md5: string
  /** Of the bytes that the rows showed. */
  rowsMd5: string
}

/** Digests `bytes` the way an upload does. */
async function digestAll(
  bytes: Buffer,
  threads: DigestThreads,
  promised: Promised = {},
): Promise<Digested> {
  using digest = new ContentDigest(promised, threads)
  const shown = createHash('md5')
  async function* source() {
    for (let at = 0; at < bytes.length; at += 65_000) yield bytes.subarray(at, at + 65_000)
  }
  const rows = plainRows({
    source: source(),
    onBytes: (part) => digest.count(part),
    onFill: (part) => digest.update(part),
  })
  for await (const { row, slices } of rows) {
    if (row === 0) assert.equal(digest.soFar().toString('hex'), md5(bytes.subarray(0, ROW)))
    for (const slice of slices) shown.update(slice)
    await digest.take(slices)
    assert.ok(slices.every(({ length, buffer }) => length === 0 || length < buffer.byteLength))
  }
  return { md5: (await digest.finish()).toString('hex'), rowsMd5: shown.digest('hex') }
}

for (const count of [0, 1]) {
  test(`with ${count} threads the digest is that of the content at every boundary`, async () => {
    const threads = createDigestThreads({ count })
    for (const size of [0, 1, ROW - 1, ROW, ROW + 1, 2 * ROW, 2 * ROW + 1, 7 * ROW + 123]) {
      const bytes = randomBytes(size)
      const expected = md5(bytes)
      assert.deepEqual(await digestAll(bytes, threads), { md5: expected, rowsMd5: expected })
    }
    await threads.close()
  })
}

test('an upload that finds the thread taken digests where it is', async () => {
  const threads = createDigestThreads({ count: 1 })
  const all = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const bytes = randomBytes(3 * ROW + 17)
      return [(await digestAll(bytes, threads)).md5, md5(bytes)]
    }),
  )
  for (const [digest, expected] of all) assert.equal(digest, expected)
  await threads.close()
})

test('a row is the thread’s alone as soon as it has it', async () => {
  const threads = createDigestThreads({ count: 1 })
  using seat = threads.open()!
  const slices = [Buffer.alloc(ROW, 7), Buffer.alloc(5, 8).subarray(0, 3)]
  const whole = Buffer.concat(slices)
  const digested = seat.update(slices)
  assert.ok(slices.every(({ length }) => length === 0))
  await digested
  assert.equal((await seat.finish()).toString('hex'), md5(whole))
  await threads.close()
})

test('an upload that ends while the thread still reads leaves it to the next one', async () => {
  const threads = createDigestThreads({ count: 1 })
  const abandoned = new ContentDigest({}, threads)
  for (let row = 0; row < 3; row++) void abandoned.take([Buffer.alloc(ROW, row)])
  assert.equal(threads.open(), undefined)
  abandoned[Symbol.dispose]()
  abandoned[Symbol.dispose]()
  const bytes = randomBytes(2 * ROW + 1)
  assert.equal((await digestAll(bytes, threads)).md5, md5(bytes))
  using seat = threads.open()
  assert.notEqual(seat, undefined)
  await threads.close()
})

test('a wrong digest and a wrong length are refused on a thread too', async () => {
  const threads = createDigestThreads({ count: 1 })
  const bytes = randomBytes(2 * ROW + 5)
  const wrongMd5 = digestAll(bytes, threads, { md5: Buffer.alloc(16) })
  await assert.rejects(wrongMd5, { code: 'DIGEST_MISMATCH' })
  const tooLong = digestAll(bytes, threads, { sizeBytes: bytes.length - 1 })
  await assert.rejects(tooLong, { code: 'LENGTH_MISMATCH' })
  const tooShort = digestAll(bytes, threads, { sizeBytes: bytes.length + 1 })
  await assert.rejects(tooShort, { code: 'LENGTH_MISMATCH' })
  assert.equal((await digestAll(bytes, threads)).md5, md5(bytes))
  await threads.close()
})

test('an upload whose thread dies fails, and the next one gets a new thread', async () => {
  const threads = createDigestThreads({ count: 1 })
  {
    using seat = threads.open()!
    const back = seat.update([Buffer.alloc(ROW)])
    await Promise.all([threads.close(), assert.rejects(back, { code: 'INTERNAL' })])
    await assert.rejects(seat.finish(), { code: 'INTERNAL' })
  }
  const bytes = randomBytes(2 * ROW + 5)
  assert.equal((await digestAll(bytes, threads)).md5, md5(bytes))
  await threads.close()
})
