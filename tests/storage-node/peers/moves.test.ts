// A file that gets another name, as the nodes see it: prepared on all four, committed by a gateway
// or among themselves; in whatever order things are heard, one name opens and no upload is lost.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  compareVersions,
  lanesOfNode,
  newVersion,
  partOfLane,
  versionAfter,
} from '@fourfold/storage-node/protocol'
import { md5Hex } from '../../support/content.ts'
import {
  isWholeOn,
  NUMBERS,
  newRingFile,
  partFiles,
  putFiles,
  type Ring,
  type RingFile,
  shareOf,
  startRing,
  until,
} from '../../support/ring.ts'
import { commit, readPart, store } from '../../support/stored-file.ts'
import type { WireClient } from '../../support/wire-client.ts'

let ring: Ring

before(async () => {
  ring = await startRing('settle.grace_ms = 600')
})

after(() => ring?.[Symbol.asyncDispose]())

/** The contents, those of links to the same bytes once. */
function distinct(files: Map<string, Buffer>): Buffer[] {
  const byDigest = new Map([...files.values()].map((bytes) => [md5Hex(bytes), bytes]))
  return [...byDigest.values()]
}

/** The same content under another file id, as a newer version. */
function renamed(from: RingFile, file: Buffer = randomBytes(16)): RingFile {
  return { ...from, file, version: newVersion(Date.now(), from.version), sealed: randomBytes(180) }
}

function moveOf(from: RingFile, to: RingFile, condition?: null) {
  const { file, version, sealed } = to
  const fields = { file, version, sealed, source: from.file, sourceVersion: from.version }
  return condition === undefined ? fields : { ...fields, condition }
}

const prepareMove = (from: RingFile, to: RingFile) => (client: WireClient) =>
  client.request('move', moveOf(from, to, null), { as: ring.alice })

const commitOf = (file: RingFile) => (client: WireClient, number: number) =>
  commit(client, ring.alice, shareOf(file, number))

async function isMovedOn(number: number, from: RingFile, to: RingFile): Promise<boolean> {
  const old = await ring.entryOf(number, from.file)
  const isEnded =
    old?.state === 'deleted' && compareVersions(old.version, versionAfter(from.version)) === 0
  return isEnded && (await isWholeOn(ring, number, to))
}

const isMovedEverywhere = (from: RingFile, to: RingFile) => async () => {
  for (const number of NUMBERS) if (!(await isMovedOn(number, from, to))) return false
  return true
}

const KINDS = [
  { what: 'in the catalog', shape: { rows: 1, x: 1 } },
  { what: 'in part files', shape: { rows: 3, pieceBytes: 3000, lastBytes: 100, x: 2 } },
]

for (const { what, shape } of KINDS) {
  test(`a file ${what} is whole under its new name on each node in the moment that the old one ends`, async () => {
    const from = newRingFile(shape)
    const to = renamed(from)
    await putFiles(ring, [from])
    const folders = ring.cluster.nodes.map(({ folder }) => folder)
    const bytesBefore = folders.map((folder) => [...partFiles(folder).values()])
    await ring.each(NUMBERS, prepareMove(from, to))
    for (const number of NUMBERS) assert.ok(await isWholeOn(ring, number, from))
    await ring.each(NUMBERS, commitOf(to))
    assert.ok(await isMovedEverywhere(from, to)())
    // Who was reading under the old name reads on.
    const [, part] = lanesOfNode(0, from.first).map((lane) => partOfLane(lane, from))
    const old = { stored: shareOf(from, 1), part: part! }
    const pieces = await ring.at(1, (client) => readPart(client, ring.alice, old))
    assert.deepEqual(pieces, from.lanes[lanesOfNode(0, from.first)[1]])
    // Repeating it does no harm.
    await ring.each(NUMBERS, commitOf(to))
    // What was just read stays for a while under its old name as well, as a link to the same bytes.
    const bytesAfter = folders.map((folder) => distinct(partFiles(folder)))
    assert.deepEqual(bytesAfter.map(sorted), bytesBefore.map(sorted))
  })

  test(`a move of a file ${what} that nobody committed is decided by the nodes, all of it`, async () => {
    const from = newRingFile(shape)
    const to = renamed(from)
    await putFiles(ring, [from])
    await ring.each(NUMBERS, prepareMove(from, to))
    await until('all four have moved it', isMovedEverywhere(from, to))
  })

  test(`a move of a file ${what} that one node did not prepare leaves the old name as it was`, async () => {
    const from = newRingFile(shape)
    const to = renamed(from)
    await putFiles(ring, [from])
    await ring.each([1, 3, 4], prepareMove(from, to))
    await until('nobody has the new name', async () => {
      for (const number of NUMBERS) if (await ring.entryOf(number, to.file)) return false
      return true
    })
    for (const number of NUMBERS) assert.ok(await isWholeOn(ring, number, from))
    const again = renamed(from)
    await ring.each(NUMBERS, prepareMove(from, again))
    await ring.each(NUMBERS, commitOf(again))
    assert.ok(await isMovedEverywhere(from, again)())
  })

  test(`a node that was killed before the commit, or lost its folder, has a file ${what} under its new name`, async () => {
    const from = newRingFile(shape)
    const to = renamed(from)
    await putFiles(ring, [from])
    await ring.each(NUMBERS, prepareMove(from, to))
    await ring.kill(2)
    await ring.each([1, 3, 4], commitOf(to))
    await ring.start(2)
    await until('DFS2 has moved it', () => isMovedOn(2, from, to))
    await ring.wipe(3)
    await ring.start(3)
    await until('DFS3 has fetched it', () => isMovedOn(3, from, to))
  })
}

const sorted = (contents: Buffer[]) => contents.map(String).toSorted()

test('an upload under the old name that came meanwhile stays, in whichever order nodes hear of it', async () => {
  const from = newRingFile()
  const to = renamed(from)
  const fresh: RingFile = { ...newRingFile(), file: from.file }
  fresh.version = newVersion(Date.now(), from.version)
  await putFiles(ring, [from])
  await ring.each(NUMBERS, prepareMove(from, to))
  await ring.each(NUMBERS, (client, number) => store(client, ring.alice, shareOf(fresh, number)))
  for (const first of [true, false]) {
    const numbers = first ? [1, 2] : [3, 4]
    await ring.each(numbers, commitOf(first ? to : fresh))
    await ring.each(numbers, commitOf(first ? fresh : to))
  }
  for (const number of NUMBERS) {
    assert.ok(await isWholeOn(ring, number, fresh), `DFS${number}`)
    assert.ok(await isWholeOn(ring, number, to), `DFS${number}`)
  }
})

test('while a move is undecided no other one, and no conditional write, of that file is prepared', async () => {
  const from = newRingFile()
  const other = newRingFile()
  await putFiles(ring, [from, other])
  const to = renamed(from)
  await ring.at(1, async (client) => {
    const as = ring.alice
    const move = (fields: ReturnType<typeof moveOf>) => client.request('move', fields, { as })
    await move(moveOf(from, to))
    await assert.rejects(move(moveOf(from, renamed(from))), { code: 'BUSY' })
    const next = { ...shareOf(from, 1), version: newVersion(Date.now(), from.version) }
    const { file, version, x, sealed, rows } = next
    const fields = { file, version, x, sealed, condition: from.version }
    await assert.rejects(client.request('store', fields, { as, body: rows[0]! }), {
      code: 'PRECONDITION_FAILED',
    })
    await assert.rejects(move(moveOf(other, renamed(other, from.file), null)), {
      code: 'PRECONDITION_FAILED',
    })
    await client.request('abort-version', { file: to.file, version: to.version }, { as })
    const stale = { ...from, version: newVersion(0) }
    await assert.rejects(move(moveOf(stale, renamed(from))), { code: 'FILE_NOT_FOUND' })
    await assert.rejects(move(moveOf(from, renamed(from, from.file))), { code: 'BAD_MESSAGE' })
    // Given up: the way is free, and the file as it was.
    await move(moveOf(from, renamed(from)))
  })
  assert.ok(await isWholeOn(ring, 1, from))
})
