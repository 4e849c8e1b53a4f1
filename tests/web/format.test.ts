// Sizes, times, counts, names and addresses as the page writes them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  fileLook,
  formatCount,
  formatSize,
  formatTime,
  isoTime,
  joinWords,
  shellWord,
  visibleName,
} from '../../web/format.ts'
import {
  deletePath,
  filePath,
  folderOf,
  foldersTo,
  listingPath,
  uploadPath,
} from '../../web/paths.ts'

describe('a size', () => {
  const sizes: [sizeBytes: number, text: string][] = [
    [0, '0 B'],
    [1, '1 B'],
    [412, '412 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [41_200, '41.2 kB'],
    [99_949, '99.9 kB'],
    [99_950, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [4_823_112, '4.8 MB'],
    [188_220_416, '188 MB'],
    [12_582_912_000, '12.6 GB'],
    [8e12, '8.0 TB'],
    [2 ** 60, '1.2 EB'],
  ]
  for (const [sizeBytes, text] of sizes) {
    test(`of ${sizeBytes} bytes reads ${text}`, () => assert.equal(formatSize(sizeBytes), text))
  }
})

describe('a time', () => {
  test('is written in UTC, to the minute', () => {
    assert.equal(formatTime(Date.UTC(2026, 10, 22, 9, 26, 59)), '2026-11-22 09:26')
    assert.equal(isoTime(Date.UTC(2026, 10, 22, 9, 26, 59)), '2026-11-22T09:26:59.000Z')
  })

  test('that no calendar has is left out', () => {
    for (const timeMs of [Number.NaN, Number.POSITIVE_INFINITY, 9e15]) {
      assert.equal(formatTime(timeMs), '')
      assert.equal(isoTime(timeMs), '')
    }
  })
})

test('counts and lists read as English', () => {
  assert.equal(formatCount(1, 'file'), '1 file')
  assert.equal(formatCount(0, 'file'), '0 files')
  assert.equal(formatCount(1248, 'file'), '1,248 files')
  assert.equal(joinWords([], 'and'), '')
  assert.equal(joinWords(['a'], 'or'), 'a')
  assert.equal(joinWords(['a', 'b'], 'or'), 'a or b')
  assert.equal(joinWords(['a', 'b', 'c'], 'and'), 'a, b and c')
})

describe('a name', () => {
  const names: [name: string, shown: string][] = [
    ['plain.txt', 'plain.txt'],
    ['😀.bin', '😀.bin'],
    ['family 👨‍👩‍👧.jpg', 'family 👨‍👩‍👧.jpg'],
    ['two\nlines', 'two↵lines'],
    ['a\tb', 'a⇥b'],
    ['\r\u0000\u007f\u0085', '\\u000d\\u0000\\u007f\\u0085'],
    ['report\u202efdp.exe', 'report\\u202efdp.exe'],
    ['zero\u200bwidth\ufeff', 'zero\\u200bwidth\\ufeff'],
    ['half \ud83d', 'half \ufffd'],
  ]
  for (const [name, shown] of names) {
    test(`${JSON.stringify(name)} shows all that is in it`, () => {
      assert.equal(visibleName(name), shown)
    })
  }

  test('is pictured by its ending, whatever its case', () => {
    assert.equal(fileLook('Photo.JPG'), 'image')
    assert.equal(fileLook('backup.tar.zst'), 'archive')
    assert.equal(fileLook('no ending'), 'file')
    assert.equal(fileLook('a.constructor'), 'file')
  })
})

test('a word for a shell is quoted only where the shell would read more into it', () => {
  for (const text of ['alice', 'file=@notes.txt', 'http://127.0.0.1:8080/files', 'a-b_c%20d']) {
    assert.equal(shellWord(text), text)
  }
  assert.equal(shellWord(''), "''")
  assert.equal(shellWord('/files?folder=a%2F'), "'/files?folder=a%2F'")
  assert.equal(shellWord("$(o'neill) \\ & Söhne"), "'$(o'\\''neill) \\ & Söhne'")
})

describe('an address', () => {
  const files: [name: string, path: string][] = [
    ['a.txt', '/files/a.txt'],
    ['a/b c.txt', '/files/a/b%20c.txt'],
    ['100%2Foff', '/files/100%252Foff'],
    ['two\nlines', '/files/two%0Alines'],
    ['?#&"\'<>', "/files/%3F%23%26%22'%3C%3E"],
    ['😀', '/files/%F0%9F%98%80'],
    ['half \ud83d', '/files/half%20%EF%BF%BD'],
  ]
  for (const [name, path] of files) {
    test(`of ${JSON.stringify(name)} leads back to it`, () => {
      assert.equal(filePath('', name), path)
      assert.equal(filePath('/store', name), `/store${path}`)
      const segments = path.slice('/files/'.length).split('/')
      assert.equal(segments.map(decodeURIComponent).join('/'), name.toWellFormed())
    })
  }

  test('of a listing says only what is not usual', () => {
    assert.equal(listingPath(''), '/')
    assert.equal(listingPath('/store', { folder: '', search: '' }), '/store/')
    assert.equal(
      listingPath('', { folder: 'a b/', search: 'c&d', sort: 'size', isDescending: true }),
      '/?folder=a%20b%2F&q=c%26d&sort=size&dir=desc',
    )
    assert.equal(listingPath('', { sort: 'name', isDescending: false, page: 1 }), '/')
    assert.equal(
      listingPath('', { sort: 'name', isDescending: true, page: 3 }),
      '/?sort=name&dir=desc&page=3',
    )
    assert.equal(uploadPath('', ''), '/files')
    assert.equal(uploadPath('', 'a/b/'), '/files?folder=a%2Fb%2F')
    assert.equal(deletePath('', 'two\nlines&c'), '/delete?name=two%0Alines%26c')
  })

  test('of every folder above is known', () => {
    assert.equal(folderOf('a/b/c.txt'), 'a/b/')
    assert.equal(folderOf('c.txt'), '')
    assert.deepEqual(foldersTo(''), [])
    assert.deepEqual(foldersTo('a/b/'), [
      { name: 'a', prefix: 'a/' },
      { name: 'b', prefix: 'a/b/' },
    ])
  })
})
