// The archive's bytes against a reader that is not ours (yauzl), also beyond 4 GiB and 65,535
// files: there the content is not written, the reader sees zeros. And the names inside.
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import yauzl, { type Entry } from 'yauzl'
import { createZip } from '../../../gateway/http/zip-content.ts'
import {
  centralRecord,
  descriptor,
  endRecords,
  layOut,
  localHeader,
  type ZipEntry,
} from '../../../gateway/http/zip-format.ts'
import { archivePaths, commonFolder } from '../../../gateway/http/zip-names.ts'
import { gathered } from '../../support/content.ts'
import { holds } from '../../support/property.ts'

const GIB = 2 ** 30
const NOON_MS = Date.UTC(2026, 10, 22, 12, 34, 56)

/** Bytes at places; zeros everywhere else. */
class Sparse extends yauzl.RandomAccessReader {
  readonly #pieces: { at: number; bytes: Buffer }[] = []
  put(at: number, bytes: Buffer): void {
    this.#pieces.push({ at, bytes })
  }
  override _readStreamForRange(start: number, end: number): Readable {
    const range = Buffer.alloc(end - start)
    for (const { at, bytes } of this.#pieces) {
      if (at < end && at + bytes.length > start) {
        bytes.copy(range, Math.max(0, at - start), Math.max(0, start - at))
      }
    }
    return Readable.from([range])
  }
}

/** The archive without its content. */
function sparseZip(entries: readonly ZipEntry[]): { reader: Sparse; sizeBytes: number } {
  const { placed, centralBytes, centralOffset, sizeBytes } = layOut(entries)
  const reader = new Sparse()
  for (const entry of placed) {
    const header = localHeader(entry)
    reader.put(entry.offset, header)
    reader.put(entry.offset + header.length + entry.sizeBytes, descriptor(entry, 7))
  }
  const central = Buffer.concat(placed.map((entry) => centralRecord(entry, 7)))
  assert.equal(central.length, centralBytes)
  reader.put(centralOffset, central)
  const end = endRecords({ count: placed.length, centralBytes, centralOffset })
  reader.put(centralOffset + centralBytes, end)
  assert.equal(centralOffset + centralBytes + end.length, sizeBytes)
  return { reader, sizeBytes }
}

function read(reader: yauzl.RandomAccessReader, sizeBytes: number): Promise<Entry[]> {
  return new Promise((resolve, reject) => {
    const options = { strictFileNames: true, validateEntrySizes: true, lazyEntries: false }
    yauzl.fromRandomAccessReader(reader, sizeBytes, options, (error, zip) => {
      if (error) return reject(error)
      const entries: Entry[] = []
      zip.on('entry', (entry) => entries.push(entry))
      zip.on('end', () => resolve(entries))
      zip.on('error', reject)
    })
  })
}

test('files above 4 GiB, and what lies behind 4 GiB, are where the directory says', async () => {
  const sizes = [1, 0xffff_fffe, 3, 0xffff_ffff, 5 * GIB, 2]
  const entries = sizes.map((sizeBytes, index) => ({
    path: `${index}`,
    sizeBytes,
    modifiedMs: NOON_MS,
  }))
  const { reader, sizeBytes } = sparseZip(entries)
  const seen = await read(reader, sizeBytes)
  assert.deepEqual(
    seen.map(({ fileName, uncompressedSize, compressedSize }) => [
      fileName,
      uncompressedSize,
      compressedSize,
    ]),
    sizes.map((size, index) => [`${index}`, size, size]),
  )
  const { placed } = layOut(entries)
  for (const [index, entry] of seen.entries()) {
    assert.equal(entry.relativeOffsetOfLocalHeader, placed[index]!.offset)
    assert.equal(entry.getLastModDate({ timezone: 'UTC' }).getTime(), NOON_MS)
    assert.equal(entry.crc32, 7)
  }
  // APPNOTE 4.3.9.2: eight bytes for each size in the descriptor of a zip64 entry, else four.
  assert.deepEqual(
    placed.map((entry) => descriptor(entry, 7).length),
    [16, 16, 16, 24, 24, 16],
  )
})

test('more than 65,535 files are all in the directory; few need no zip64 at all', async () => {
  const entries = Array.from({ length: 70_000 }, (_, index) => ({
    ...{ path: `${index}`, sizeBytes: 0, modifiedMs: 0 },
  }))
  const { centralBytes, centralOffset } = layOut(entries)
  const end = endRecords({ count: entries.length, centralBytes, centralOffset })
  assert.equal(end.length, 22 + 20 + 56)
  assert.equal(end.readBigUInt64LE(32), 70_000n)
  const few = layOut(entries.slice(0, 65_534))
  const { length } = endRecords({ count: few.placed.length, ...few })
  assert.equal(length, 22)
})

test('a whole archive has the length that was said, and its files come out as they went in', async () => {
  const contents = ['', 'a', 'ß'.repeat(70_000)].map((text) => Buffer.from(text))
  const { sizeBytes, content } = createZip(
    contents.map((bytes, index) => ({
      path: `folder/${index} 😀`,
      sizeBytes: bytes.length,
      modifiedMs: [-1, NOON_MS, 8.64e15][index]!,
      open: async () => Readable.from([bytes]),
    })),
  )
  const archive = await gathered(content)
  assert.equal(archive.length, sizeBytes)
  const reader = new Sparse()
  reader.put(0, archive)
  const entries = await read(reader, archive.length)
  assert.deepEqual(
    entries.map(({ fileName, crc32: crc }) => [fileName, crc]),
    contents.map((bytes, index) => [`folder/${index} 😀`, crc32(bytes)]),
  )
})

test('a file that is not as long as it was ends the archive with an error', async () => {
  const { content } = createZip([
    {
      path: 'a',
      sizeBytes: 3,
      modifiedMs: 0,
      open: async () => Readable.from([Buffer.from('ab')]),
    },
  ])
  await assert.rejects(gathered(content), { code: 'LENGTH_MISMATCH' })
})

test('names become ones that every system takes, and each is there once', () => {
  const cases: [names: string[], paths: string[]][] = [
    [
      ['a', 'b/c'],
      ['a', 'b/c'],
    ],
    [
      ['a:b?.txt', 'a*b|.txt', '\\\\host\\x'],
      ['a_b_.txt', 'a_b_ (2).txt', '__host_x'],
    ],
    [
      ['con', 'COM1.txt', 'x/nul.tar.gz', 'console'],
      ['con_', 'COM1_.txt', 'x/nul_.tar.gz', 'console'],
    ],
    [
      ['ends. ', ' begins', '...', 'new\nline'],
      ['ends__', '_begins', '___', 'new_line'],
    ],
    [
      ['Read.me', 'read.me', 'READ.ME'],
      ['Read.me', 'read (2).me', 'READ (3).ME'],
    ],
    [
      ['docs', 'docs/a', '.profile', '.PROFILE'],
      ['docs (2)', 'docs/a', '.profile', '.PROFILE (2)'],
    ],
    [
      ['ﬁ', 'fi', 'straße', 'STRASSE'],
      ['ﬁ', 'fi (2)', 'straße', 'STRASSE (2)'],
    ],
  ]
  for (const [names, paths] of cases) assert.deepEqual(archivePaths(names, ''), paths)
  assert.deepEqual(archivePaths(['a/b/c', 'a/d'], 'a/'), ['b/c', 'd'])
  const long = `${'😀'.repeat(300)}.txt`
  const [one, two] = archivePaths([long, long.replace('.', '1.')], '') as [string, string]
  assert.ok(Buffer.byteLength(two) <= 255 && one !== two && two.endsWith(' (2).txt'), two)
})

test('whatever the names are, paths stay inside, are legal for the reader and differ in any case', async (t) => {
  const segment = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 })
  const name = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
  await holds(
    t,
    fc.property(fc.uniqueArray(name, { maxLength: 20 }), (names) => {
      const paths = archivePaths(names, commonFolder(names))
      for (const path of paths) assert.equal(yauzl.validateFileName(path), null, path)
      const folded = paths.map((path) => path.toLowerCase())
      assert.equal(new Set(folded).size, names.length)
      for (const path of folded) assert.ok(!folded.some((other) => other.startsWith(`${path}/`)))
    }),
    200,
  )
})

test('what all selected names lie in is left out of their paths', () => {
  const cases: [names: string[], folder: string][] = [
    [['a/b/c', 'a/b/d'], 'a/b/'],
    [['a/b/c', 'a/bc'], 'a/'],
    [['a/b/'], 'a/'],
    [['a/b/', 'a/b/c'], 'a/'],
    [['docs/'], ''],
    [['a/x', 'b/x'], ''],
    [[''], ''],
    [[], ''],
  ]
  for (const [names, folder] of cases) assert.equal(commonFolder(names), folder, names.join())
})
