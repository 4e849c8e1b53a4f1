// What nodes say, in any order and with any of them silent, against a model that remembers all of
// it and thinks from the start each time: the same files, copies, orders, folders and windows.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { FileIndex } from '../../../gateway/dfs/file-index.ts'
import { currentVersion } from '../../../gateway/dfs/file-state.ts'
import { FileTable } from '../../../gateway/dfs/file-table.ts'
import type { Listed } from '../../../gateway/dfs/listed-description.ts'
import {
  cursorAfter,
  rowAfter,
  rowCountOf,
  rowsOf,
  type ViewQuery,
} from '../../../gateway/dfs/listing-view.ts'
import { type Entry, readChangesPage } from '../../../storage-node/protocol/index.ts'
import { holds } from '../../support/property.ts'

const NAMES = ['a', 'b', 'a/x', 'a/y', 'a/b/1', 'a/b/2', 'c/😀', 'c/ä', 'B', 'aa', 'a0', 'é']
const STATES = ['prepared', 'committed', 'deleted'] as const

interface Said {
  node: number
  name: string
  /** Versions are numbers here; a description depends on the version alone. */
  version: number
  state: (typeof STATES)[number]
  parts: number
}

const words = {
  node: fc.integer({ min: 0, max: 3 }),
  name: fc.constantFrom(...NAMES),
  version: fc.integer({ min: 1, max: 6 }),
  state: fc.constantFrom(...STATES),
  parts: fc.integer({ min: 0, max: 15 }),
}
const said: fc.Arbitrary<Said> = fc.record(words)

const idOf = (name: string) => createHash('md5').update(name).digest()

function versionOf({ version, state }: Said): Buffer {
  const bytes = Buffer.alloc(16)
  // A version is one thing only: a file, which may be undecided, or a tombstone.
  bytes.writeUInt32BE(version * 2 + (state === 'deleted' ? 1 : 0), 4)
  return bytes
}

function listedOf(name: string, version: number): Listed {
  const md5 = createHash('md5').update(`${name} ${version}`).digest()
  const modified = 1_700_000_000_000 + (md5[0]! % 4) * 70_000
  const [, size, type] = md5
  const listed = { name, size: size! * 1000, type: `t/${type! % 3}`, modified, x: md5[15]! % 4 }
  return { ...listed, bytes: Buffer.concat([Buffer.of(0), md5]), md5At: 1 }
}

function pageOf(one: Said): Buffer {
  const facts = (STATES.indexOf(one.state) << 4) | one.parts
  return Buffer.concat([idOf(one.name), versionOf(one), Buffer.of(facts, 0, 0)])
}

/** The files that exist, as `file-state.ts` brings them together from each node's last word. */
function modelOf(all: readonly Said[]): Map<string, { listed: Listed; held: number[] }> {
  const files = new Map<string, { listed: Listed; held: number[] }>()
  for (const name of NAMES) {
    const answers = [0, 1, 2, 3].map((node) => {
      const own = all.filter((one) => one.name === name && one.node === node)
      return { node, entries: own.map((one) => entryOf(one)) }
    })
    const current = currentVersion(answers)
    if (current === undefined || current.entry.state === 'deleted') continue
    const version = Buffer.from(current.entry.version).readUInt32BE(4) >> 1
    files.set(name, { listed: listedOf(name, version), held: current.partsHeld })
  }
  return files
}

function entryOf(one: Said): Entry {
  const { state, parts } = one
  const plain = { x: 0, first: 0, rows: 1, sealed: new Uint8Array() }
  return { ...plain, file: idOf(one.name), version: versionOf(one), state, parts }
}

/** What a node says of a version last counts; of a version that is decided, never "prepared". */
function lastWords(all: readonly Said[]): Said[] {
  const words = new Map<string, Said>()
  for (const one of all) {
    const key = `${one.node} ${one.name} ${versionOf(one).toString('hex')}`
    const before = words.get(key)
    const wasDecided = before !== undefined && before.state !== 'prepared'
    if (!(wasDecided && one.state === 'prepared')) words.set(key, one)
  }
  return [...words.values()]
}

function indexOf(all: readonly Said[]): FileIndex {
  const index = new FileIndex()
  for (const one of all) {
    for (const entry of readChangesPage(pageOf(one))) {
      index.take(one.node, entry, () => listedOf(one.name, one.version))
    }
  }
  return index
}

const query: fc.Arbitrary<ViewQuery & { limit: number }> = fc.record({
  prefix: fc.constantFrom('', 'a', 'a/', 'c/', 'zz'),
  delimiter: fc.constantFrom('', '/'),
  search: fc.constantFrom('', 'B', 'x'),
  sort: fc.constantFrom('name', 'size', 'modified'),
  isDescending: fc.boolean(),
  limit: fc.integer({ min: 1, max: 5 }),
})

test('the index says what a model says that thinks from the start each time', async (t) => {
  const property = fc.property(fc.array(said, { maxLength: 60 }), query, (history, asked) => {
    const index = new FileIndex()
    for (const one of history) {
      const [entry] = readChangesPage(pageOf(one))
      // What a node decided it does not prepare again, and never tells an older word of.
      index.take(one.node, entry!, () => listedOf(one.name, one.version))
      if (one.parts % 4 === 0) index.view(asked)
    }
    const model = modelOf(lastWords(history))
    checkView(index, model, asked)
  })
  await holds(t, property, 400)
})

function checkView(
  index: FileIndex,
  model: ReturnType<typeof modelOf>,
  asked: ViewQuery & { limit: number },
): void {
  const view = index.view(asked)
  const expected = expectedRows(model, asked)
  const rowCount = rowCountOf(view)
  assert.equal(rowCount, expected.length)
  const rows = (from: number, to: number) => {
    const { folders, slots } = rowsOf(view, from, to)
    const names = Array.from(slots, (slot) => index.table.infoOf(slot, [0, 1, 2, 3]).name)
    return [...folders.map((one) => `${one.prefix} ${one.fileCount} ${one.sizeBytes}`), ...names]
  }
  assert.deepEqual(rows(0, rowCount), expected)
  const walked: string[] = []
  for (let from = 0; from < rowCount; ) {
    const to = Math.min(from + asked.limit, rowCount)
    walked.push(...rows(from, to))
    from = rowAfter(view, index.table, cursorAfter(view, index.table, to - 1))
    assert.equal(from, to)
  }
  assert.deepEqual(walked, expected)
}

function expectedRows(model: ReturnType<typeof modelOf>, asked: ViewQuery): string[] {
  const { prefix = '', delimiter = '', search = '', sort = 'name', isDescending } = asked
  const files = [...model.values()]
    .map(({ listed }) => listed)
    .filter(({ name }) => name.startsWith(prefix))
    .filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const folders = new Map<string, { fileCount: number; sizeBytes: number }>()
  const plain: Listed[] = []
  for (const file of files) {
    const at = delimiter === '' ? -1 : file.name.indexOf(delimiter, prefix.length)
    if (at === -1) {
      plain.push(file)
      continue
    }
    const name = file.name.slice(0, at + 1)
    const folder = folders.get(name) ?? { fileCount: 0, sizeBytes: 0 }
    folders.set(name, folder)
    folder.fileCount++
    folder.sizeBytes += file.size
  }
  const inOrder = [...folders]
  if (sort === 'size') inOrder.sort(([, a], [, b]) => a.sizeBytes - b.sizeBytes)
  if (sort !== 'name') plain.sort((a, b) => a[sort] - b[sort])
  if (isDescending) {
    inOrder.reverse()
    plain.reverse()
  }
  return [
    ...inOrder.map(([name, { fileCount, sizeBytes }]) => `${name} ${fileCount} ${sizeBytes}`),
    ...plain.map(({ name }) => name),
  ]
}

test('an index that was packed away and taken up again goes on as if nothing had been', async (t) => {
  const history = fc.array(said, { maxLength: 60 })
  const property = fc.property(history, fc.nat(60), query, (all, packAt, asked) => {
    let index = new FileIndex()
    for (const [number, one] of all.entries()) {
      const [entry] = readChangesPage(pageOf(one))
      index.take(one.node, entry!, () => listedOf(one.name, one.version))
      if (number !== packAt) continue
      const { slots, inOrder } = index.knownSlots()
      const table = new FileTable()
      for (let from = 0; from < slots.length; from += 5) {
        table.append(index.table.pack(slots.subarray(from, from + 5)))
      }
      const infos = (of: FileTable, from: Iterable<number>) =>
        Array.from(from, (slot) => of.isShown(slot) && of.infoOf(slot, [0, 1, 2, 3]))
      assert.deepEqual(infos(table, slots.keys()), infos(index.table, slots))
      index = new FileIndex(table, inOrder)
    }
    checkView(index, modelOf(lastWords(all)), asked)
  })
  await holds(t, property, 400)
})

test('copies are those of the newest version, whichever node spoke first', async (t) => {
  const few = fc.record({ ...words, name: fc.constantFrom('a', 'b') })
  const property = fc.property(fc.array(few, { maxLength: 40 }), (history) => {
    const last = lastWords(history)
    const index = indexOf(last)
    for (const [name, { listed, held }] of modelOf(last)) {
      const slot = index.table.find(idOf(name), 0)
      const info = index.table.infoOf(slot, [0, 1, 2, 3])
      const md5 = Buffer.from(listed.bytes.subarray(listed.md5At)).toString('hex')
      assert.deepEqual([info.md5, info.type], [md5, listed.type])
      const seen = held.reduce((sum, mask) => sum | mask, 0)
      assert.deepEqual(
        info.missingParts,
        [1, 2, 3, 4].filter((part) => (seen & (1 << (part - 1))) === 0),
      )
    }
  })
  await holds(t, property, 400)
})

test('runs of many names are merged in order, and one among many finds its place', () => {
  const index = new FileIndex()
  const take = (number: number, state: Said['state'], version: number) => {
    const one = { node: 0, name: `n/${(number * 7919) % 50_000}`, version, state, parts: 3 }
    const [entry] = readChangesPage(pageOf(one))
    index.take(0, entry!, () => listedOf(one.name, version))
  }
  const names = () => {
    const { files } = index.view({})
    return Array.from(files, (slot) => index.table.shownName(slot))
  }
  for (let number = 0; number < 30_000; number++) take(number, 'committed', 1)
  const all = names()
  assert.equal(all.length, 30_000)
  assert.deepEqual(all, [...all].sort())
  for (const number of [0, 17, 29_999]) take(number, 'deleted', 1)
  for (const number of [17, 30_000, 30_001]) take(number, 'committed', 2)
  const then = names()
  assert.equal(then.length, 30_000)
  assert.deepEqual(then, [...then].sort())
})
