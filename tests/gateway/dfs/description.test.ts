// The sealed description: it opens in its own place only, and holds what it was given.
import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { encodeHeader, readChangesPage } from '@fourfold/storage-node/protocol'
import {
  attemptOfRow,
  type Description,
  LAST_TIME_MS,
  openDescription,
  sealDescription,
} from '../../../gateway/dfs/description.ts'
import { ListedOpener, readListed } from '../../../gateway/dfs/listed-description.ts'

const entryKey = createSecretKey(randomBytes(32))
const place = { file: randomBytes(16), version: randomBytes(16) }
const description: Description = {
  name: 'docs/😀\n.bin',
  size: 5_000_000_000_000,
  md5: randomBytes(16),
  type: 'text/plain',
  modified: 1_790_000_000_000,
  key: randomBytes(32),
  rowBytes: 1_048_576,
  rows: 4_768_372,
  first: 2,
  x: 3,
  attempts: [0, 17],
}

test('a description opens to what was sealed', () => {
  const sealed = sealDescription(entryKey, place, description)
  const opened = openDescription(entryKey, [{ ...place, sealed }])
  assert.deepEqual(
    { ...opened, md5: Buffer.from(opened.md5), key: Buffer.from(opened.key) },
    description,
  )
})

test('nothing of a description can be read in its sealed bytes', () => {
  const sealed = sealDescription(entryKey, place, description)
  for (const secret of [
    description.md5,
    description.key,
    Buffer.from('docs/'),
    Buffer.from('text/plain'),
  ]) {
    assert.equal(sealed.indexOf(Buffer.from(secret)), -1)
  }
})

test('a description does not open for another file, version or key', () => {
  const sealed = sealDescription(entryKey, place, description)
  const other = createSecretKey(randomBytes(32))
  const isDamaged = { code: 'DAMAGED' }
  assert.throws(
    () => openDescription(entryKey, [{ ...place, file: randomBytes(16), sealed }]),
    isDamaged,
  )
  assert.throws(
    () => openDescription(entryKey, [{ ...place, version: randomBytes(16), sealed }]),
    isDamaged,
  )
  assert.throws(() => openDescription(other, [{ ...place, sealed }]), isDamaged)
  assert.throws(() => openDescription(entryKey, [{ ...place, sealed: Buffer.alloc(3) }]), isDamaged)
})

test('where one node holds a damaged description, the copy of another is used', () => {
  const sealed = sealDescription(entryKey, place, description)
  const damaged = Buffer.from(sealed)
  damaged[20]! ^= 0x80
  const opened = openDescription(entryKey, [
    { ...place, sealed: damaged },
    { ...place, sealed },
  ])
  assert.equal(opened.name, description.name)
})

test('each row belongs to the last attempt that began at or before it', () => {
  const attempts = [0, 17, 17, 40]
  assert.deepEqual(
    [0, 16, 17, 39, 40, 99].map((row) => attemptOfRow(attempts, row)),
    [0, 0, 2, 2, 3, 3],
  )
})

test('what a listing reads fast is what the strict way reads, for numbers of every width', () => {
  const attempts = Array.from({ length: 30 }, (_, at) => at * 70_000)
  for (const number of [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 47]) {
    const one = { ...description, size: number, modified: number, attempts }
    const { name, md5, type, x } = one
    for (const more of [{}, { sha256: randomBytes(32) }]) {
      const listed = readListed(Buffer.from(encodeHeader({ format: 1, ...one, ...more })))
      assert.deepEqual(
        { ...listed, bytes: listed!.bytes.subarray(listed!.md5At, listed!.md5At + 16), md5At: 0 },
        { name, bytes: md5, md5At: 0, type, x, size: number, modified: number },
      )
    }
  }
})

test('a time that no text can say counts as the last one that a text can say', () => {
  const modified = 9_000_000_000_000_000
  const sealed = sealDescription(entryKey, place, { ...description, modified })
  const opened = openDescription(entryKey, [{ ...place, sealed }])
  const listed = readListed(Buffer.from(encodeHeader({ format: 1, ...description, modified })))
  assert.deepEqual([opened.modified, listed?.modified], [LAST_TIME_MS, LAST_TIME_MS])
  assert.equal(new Date(opened.modified).toISOString(), '9999-12-31T23:59:59.999Z')
})

test('descriptions of a page open together, and one that does not is told alone', () => {
  const places = Array.from({ length: 200 }, () => ({ ...place, file: randomBytes(16) }))
  const page = Buffer.concat(
    places.flatMap(({ file, version }, number) => {
      const sealed = sealDescription(entryKey, { file, version }, { ...description, size: number })
      const facts = Buffer.alloc(3)
      facts[0] = (1 << 4) | 3
      facts.writeUInt16BE(sealed.length, 1)
      return [file, version, facts, sealed]
    }),
  )
  const entries = readChangesPage(page)
  page[entries[70]!.sealedAt + 20]! ^= 1
  for (const count of [200, 72]) {
    const open = new ListedOpener(entryKey).openPage(entries.slice(0, count))
    for (const at of [0, 69, 71, count - 1]) {
      const { bytes, md5At, ...listed } = open(at)
      const { name, type, modified, x } = description
      assert.deepEqual(listed, { name, type, modified, x, size: at })
      assert.deepEqual(Buffer.from(bytes.subarray(md5At, md5At + 16)), description.md5)
    }
    assert.throws(() => open(70), { code: 'DAMAGED' })
  }
})
