// Records opened together open exactly where each of them opens alone; where one does not, none.
import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { openBytes, SEAL_BYTES, sealBytes } from '../../../gateway/dfs/keys.ts'
import { RecordOpener, type RecordPlace } from '../../../gateway/dfs/sealed-records.ts'
import { holds } from '../../support/property.ts'

const key = createSecretKey(randomBytes(32))

/** Records in one buffer, with other bytes between them. */
function pageOf(plains: readonly Uint8Array[]): { bytes: Buffer; places: RecordPlace[] } {
  const parts: Buffer[] = []
  const places: RecordPlace[] = []
  let at = 0
  for (const plain of plains) {
    const context = randomBytes(32)
    const between = randomBytes(plain.length % 5)
    const sealed = sealBytes(key, context, plain)
    const sealedAt = at + context.length + between.length
    places.push({ fileAt: at, sealedAt, sealedBytes: sealed.length })
    parts.push(context, between, sealed)
    at = sealedAt + sealed.length
  }
  return { bytes: Buffer.concat(parts), places }
}

function openedTogether(
  bytes: Buffer,
  places: readonly RecordPlace[],
  opener = new RecordOpener(key),
) {
  const opened = opener.open(bytes, places)
  if (opened === undefined) return undefined
  const { plain, starts } = opened
  return places.map(({ sealedBytes }, index) => {
    const from = starts[index]!
    return from === -1 ? undefined : plain.subarray(from, from + sealedBytes - SEAL_BYTES)
  })
}

function openedAlone(bytes: Buffer, places: readonly RecordPlace[], withKey = key) {
  return places.map(({ fileAt, sealedAt, sealedBytes }) => {
    const context = bytes.subarray(fileAt, fileAt + 32)
    return openBytes(withKey, context, bytes.subarray(sealedAt, sealedAt + sealedBytes))
  })
}

const plains = fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 })

test('records of any length open together as each opens alone', async (t) => {
  const opener = new RecordOpener(key)
  const property = fc.property(plains, (all) => {
    const { bytes, places } = pageOf(all)
    // With the same opener as before: nothing of another page is left in it.
    const opened = openedTogether(bytes, places, opener)
    assert.deepEqual(opened, openedAlone(bytes, places))
    assert.deepEqual(
      opened,
      all.map((plain) => Buffer.from(plain)),
    )
  })
  await holds(t, property, 300)
})

test('with a changed byte in what any record says nothing opens, wherever the byte is', async (t) => {
  const property = fc.property(
    plains,
    fc.nat(),
    fc.integer({ min: 1, max: 255 }),
    (all, at, by) => {
      const { bytes, places } = pageOf(all)
      if (bytes.length === 0) return
      bytes[at % bytes.length]! ^= by
      const alone = openedAlone(bytes, places)
      // Bytes between records say nothing.
      const expected = alone.includes(undefined) ? undefined : alone
      assert.deepEqual(openedTogether(bytes, places), expected)
    },
  )
  await holds(t, property, 500)
})

test('changes in two records that would cancel out in a plain sum do not', () => {
  const { bytes, places } = pageOf([Buffer.alloc(16, 1), Buffer.alloc(16, 2), Buffer.alloc(16, 3)])
  const [first, second] = places as [RecordPlace, RecordPlace]
  const tagEnd = first.sealedAt + first.sealedBytes
  const changes: [string, number, number][] = [
    ['tag of the first, context of the second', tagEnd - 16, second.fileAt],
    ['tag of the first, text of the second', tagEnd - 16, second.sealedAt + 12],
    ['both texts', first.sealedAt + 12, second.sealedAt + 12],
    ['both tags', tagEnd - 16, second.sealedAt + second.sealedBytes - 16],
    ['context and tag of the first', first.fileAt, tagEnd - 16],
  ]
  for (const [what, one, other] of changes) {
    const changed = Buffer.from(bytes)
    for (let byte = 0; byte < 16; byte++) {
      changed[one + byte]! ^= byte + 1
      changed[other + byte]! ^= byte + 1
    }
    assert.equal(new RecordOpener(key).open(changed, places), undefined, what)
  }
  const swapped = [{ ...first, fileAt: second.fileAt }, second]
  assert.equal(new RecordOpener(key).open(bytes, swapped), undefined)
})

test('what is too short to be a record is passed over, and with another key nothing opens', () => {
  const { bytes, places } = pageOf([Buffer.from('one'), Buffer.alloc(0), Buffer.from('three')])
  const short = places.map((place, index) => (index === 1 ? { ...place, sealedBytes: 27 } : place))
  assert.deepEqual(openedTogether(bytes, short), [
    Buffer.from('one'),
    undefined,
    Buffer.from('three'),
  ])
  const other = new RecordOpener(createSecretKey(randomBytes(32)))
  assert.equal(openedTogether(bytes, places, other), undefined)
  assert.deepEqual(openedTogether(bytes, []), [])
})
