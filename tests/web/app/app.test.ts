// The app's plain parts: what the list shows and in which order, the parts on the ring, times,
// speeds, names of second files, and MD5 against Node's own.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { ago } from '../../../web/app/ago.ts'
import type { NodeJson } from '../../../web/app/api.ts'
import { duration } from '../../../web/app/duration.ts'
import { type LibraryFile, pageFile, partOn, rotationOf } from '../../../web/app/files.ts'
import {
  countHealth,
  filesOf,
  type ListView,
  listItems,
  sortByName,
} from '../../../web/app/order.ts'
import { piecesOf } from '../../../web/app/preview/highlight.ts'
import { previewKind } from '../../../web/app/preview/kinds.ts'
import { safeAddress } from '../../../web/app/preview/links.ts'
import { roomBytes } from '../../../web/app/room.ts'
import { freeName } from '../../../web/app/uploads/conflict.ts'
import { md5Of } from '../../../web/app/uploads/md5.ts'
import { Speed } from '../../../web/app/uploads/speed.ts'
import { ALL_COPIES, copiesOnNodes, filledCopies } from '../../../web/ring.ts'
import { copiesWord } from '../../../web/words.ts'
import { seededBytes } from '../../support/content.ts'

function file(name: string, more: Partial<LibraryFile> = {}): LibraryFile {
  const plain = { sizeBytes: 1, modifiedMs: 0, type: '', md5: 'a0', copies: ALL_COPIES }
  return { name, ...plain, ...more }
}

const PLAIN: ListView = { folder: '', search: '', filter: 'all', sort: 'name', isDescending: false }
const keys = (items: readonly object[]) =>
  items.map((item) => ('prefix' in item ? item.prefix : 'name' in item ? item.name : ''))

describe("the app's list", () => {
  const files = sortByName([
    file('b/2.txt', { sizeBytes: 5 }),
    file('B10'),
    file('b2', { sizeBytes: 9, modifiedMs: 2, copies: 0b1111_1101 }),
    file('a', { modifiedMs: 5, copies: 0b0000_1111 }),
    file('b/c/3.txt', { sizeBytes: 7 }),
  ])

  test('shows folders first, with all that is below them, and numbers as numbers', () => {
    const items = listItems(files, PLAIN, ALL_COPIES)
    assert.deepEqual(keys(items), ['b/', 'a', 'b2', 'B10'])
    assert.deepEqual(items[0], { prefix: 'b/', fileCount: 2, sizeBytes: 12 })
    const inside = files.filter(({ name }) => name.startsWith('b/'))
    assert.deepEqual(keys(listItems(inside, { ...PLAIN, folder: 'b/' }, ALL_COPIES)), [
      'b/c/',
      'b/2.txt',
    ])
  })

  test('sorts by size and time, equal ones by name', () => {
    const by = (sort: ListView['sort'], isDescending: boolean) =>
      keys(listItems(files, { ...PLAIN, sort, isDescending }, ALL_COPIES))
    assert.deepEqual(by('size', true), ['b/', 'b2', 'a', 'B10'])
    assert.deepEqual(by('modified', true), ['b/', 'a', 'b2', 'B10'])
    assert.deepEqual(by('name', true), ['b/', 'B10', 'b2', 'a'])
  })

  test('finds below the folder, whatever the case, and filters by what live nodes hold', () => {
    assert.deepEqual(keys(listItems(files, { ...PLAIN, search: 'TXT' }, ALL_COPIES)), [
      'b/2.txt',
      'b/c/3.txt',
    ])
    assert.deepEqual(countHealth(files, ALL_COPIES), { whole: 3, thin: 1, lost: 1 })
    assert.deepEqual(keys(listItems(files, { ...PLAIN, filter: 'lost' }, ALL_COPIES)), ['a'])
    const down3 = copiesOnNodes([true, true, false, true])
    assert.deepEqual(countHealth(files, down3), { whole: 0, thin: 4, lost: 1 })
  })

  test('takes a chosen folder for all that is below it', () => {
    assert.deepEqual(keys(filesOf(files, new Set(['b/', 'a']))), ['a', 'b/2.txt', 'b/c/3.txt'])
  })
})

describe('a file on the ring', () => {
  const NAMES = ['DFS1', 'DFS2', 'DFS3', 'DFS4']
  /** The design's table: parts of DFS1 to DFS4 for each x. */
  const TABLE = [
    ['1, 2', '2, 3', '3, 4', '4, 1'],
    ['4, 1', '1, 2', '2, 3', '3, 4'],
    ['3, 4', '4, 1', '1, 2', '2, 3'],
    ['2, 3', '3, 4', '4, 1', '1, 2'],
  ]

  for (const [x, row] of TABLE.entries()) {
    test(`with x ${x} has its parts where the table says, and misses those of absent nodes`, () => {
      const held = row.map((parts) => parts.split(', ').map(Number))
      for (const node of [0, 1, 2, 3]) {
        const quarters = [node, (node + 3) % 4].map((quarter) => partOn(quarter, x))
        assert.deepEqual(quarters.sort(), held[node]!.toSorted(), `${NAMES[node]}`)
      }
      const one = file('f', { md5: `0${x}` })
      assert.equal(rotationOf(one), x)
      for (let up = 0; up < 16; up++) {
        const nodes = NAMES.map((name, index) => ({ name, isUp: (up & (1 << index)) !== 0 }))
        const here = held.filter((_, index) => nodes[index]!.isUp).flat()
        const missing = [1, 2, 3, 4].filter((part) => !here.includes(part))
        const copies = copiesOnNodes(nodes.map(({ isUp }) => isUp))
        const seen = pageFile(one, copies, nodes)
        assert.deepEqual(seen.missingParts, missing, `nodes ${up.toString(2)}`)
        const word = copiesWord(seen, nodes)
        if (missing.length > 0) assert.match(word, /^Needs /)
        else assert.equal(word, up === 15 ? '2 copies' : '1 copy left')
      }
      const gone = pageFile(
        one,
        0b1111_0011,
        NAMES.map((name) => ({ name, isUp: true })),
      )
      assert.match(copiesWord(gone, []), new RegExp(`^Part ${partOn(1, x)} missing$`))
    })
  }

  test('fills clockwise as its bytes go', () => {
    assert.equal(filledCopies(0), 0)
    assert.equal(filledCopies(0.5), 0b1111)
    assert.equal(filledCopies(1), ALL_COPIES)
    assert.equal(filledCopies(7), ALL_COPIES)
  })
})

describe("an upload's own figures", () => {
  for (const sizeBytes of [
    0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1_048_576, 1_048_577, 3_000_001,
  ]) {
    test(`MD5 of ${sizeBytes} bytes is Node's`, async () => {
      const bytes = seededBytes(`md5 ${sizeBytes}`, sizeBytes)
      const expected = createHash('md5').update(bytes).digest('hex')
      const { signal } = new AbortController()
      assert.equal(await md5Of(new Blob([new Uint8Array(bytes)]), signal), expected)
    })
  }

  test('a second file of a name gets the first number that is free', () => {
    assert.equal(freeName('a/lab-3.pcapng', new Set()), 'a/lab-3 (2).pcapng')
    assert.equal(freeName('x', new Set(['x (2)', 'x (3)'])), 'x (4)')
    assert.equal(freeName('a.b/.profile', new Set()), 'a.b/.profile (2)')
  })

  test('room is twice what the fullest node has beside its reserve, of those that tell', () => {
    const node = (freeBytes?: number, reserveBytes?: number): NodeJson => ({
      ...{ name: 'DFS1', address: '', health: 'up', since: '' },
      ...(freeBytes === undefined ? {} : { freeBytes }),
      ...(reserveBytes === undefined ? {} : { reserveBytes }),
    })
    assert.equal(roomBytes([]), undefined)
    assert.equal(roomBytes([node(), node()]), undefined)
    assert.equal(roomBytes([node(900), node(500, 100), node(), node(700)]), 800)
    assert.equal(roomBytes([node(50, 100)]), 0)
  })

  test('speed is silent for two seconds, then follows slowly', () => {
    const speed = new Speed()
    assert.equal(speed.add(0, 0), undefined)
    assert.equal(speed.add(1_000_000, 1000), undefined)
    assert.equal(Math.round(speed.add(2_000_000, 2000)!), 1_000_000)
    const stalled = speed.add(2_000_000, 2250)!
    assert.ok(stalled > 800_000 && stalled < 1_000_000, String(stalled))
    speed.reset()
    assert.equal(speed.add(5, 9000), undefined)
  })

  test('times are told as people tell them', () => {
    const now = Date.UTC(2026, 10, 22, 12)
    const before = (hours: number) => ago(now - hours * 3_600_000, now)
    assert.equal(before(0), 'just now')
    assert.equal(before(0.5), '30 min ago')
    assert.equal(before(9), '9 h ago')
    assert.equal(before(30), 'yesterday')
    assert.equal(before(24 * 4), '4 days ago')
    assert.match(before(24 * 8), /^Nov 14$/)
    assert.match(before(24 * 400), /2025$/)
    assert.equal(duration(4000), '4 s')
    assert.equal(duration(180_000), '3 min')
    assert.equal(duration(3 * 86_400_000), '3 days')
  })
})

describe('a preview', () => {
  test('shows what browsers show without running it, and nothing else', () => {
    const kind = (name: string, type = 'application/octet-stream') => previewKind({ name, type })
    assert.equal(kind('a', 'image/png'), 'image')
    assert.equal(kind('a.svg', 'image/svg+xml'), 'image')
    assert.equal(kind('a.html', 'text/html'), 'code')
    assert.equal(kind('a.md'), 'markdown')
    assert.equal(kind('a.ts', 'video/mp2t'), 'code')
    assert.equal(kind('a.mp4', 'video/mp4'), 'video')
    assert.equal(kind('a.exe'), 'none')
    assert.equal(kind('a.bin', 'application/x-thing'), 'none')
  })

  test('links to the web and to mail alone', () => {
    assert.equal(safeAddress('https://example.com/a'), 'https://example.com/a')
    for (const bad of [
      'javascript:alert(1)',
      ' JAVASCRIPT:x',
      'data:text/html,x',
      '/files/a',
      '',
    ]) {
      assert.equal(safeAddress(bad), undefined)
    }
  })

  test('takes coloured text apart without losing a character', () => {
    const html = '<span class="a">x &lt; <span class="b">&quot;y&quot;</span></span> &amp; z'
    const pieces = piecesOf(html)
    assert.equal(pieces.map(({ text }) => text).join(''), 'x < "y" & z')
    assert.deepEqual(
      pieces.map(({ look }) => look),
      ['a', 'b', ''],
    )
  })
})
