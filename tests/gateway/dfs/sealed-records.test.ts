// Records opened together open exactly where each of them opens alone.
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
  const { plain, starts } = opener.open(bytes, places)
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

test('of records with a changed byte that one does not open, wherever the byte is', async (t) => {
  const property = fc.property(
    plains,
    fc.nat(),
    fc.integer({ min: 1, max: 255 }),
    (all, at, by) => {
      const { bytes, places } = pageOf(all)
      if (bytes.length === 0) return
      bytes[at % bytes.length]! ^= by
      assert.deepEqual(openedTogether(bytes, places), openedAlone(bytes, places))
    },
  )
  await holds(t, property, 500)
})

test('what is too short to be a record does not open, nor does anything with another key', () => {
  const { bytes, places } = pageOf([Buffer.from('one'), Buffer.alloc(0), Buffer.from('three')])
  const short = places.map((place, index) => (index === 1 ? { ...place, sealedBytes: 27 } : place))
  assert.deepEqual(openedTogether(bytes, short), [
    Buffer.from('one'),
    undefined,
    Buffer.from('three'),
  ])
  const other = new RecordOpener(createSecretKey(randomBytes(32)))
  assert.deepEqual(openedTogether(bytes, places, other), [undefined, undefined, undefined])
  assert.deepEqual(openedTogether(bytes, []), [])
})
