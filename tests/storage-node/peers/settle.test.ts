// Uploads whose gateway died between prepare and commit: the nodes decide among themselves, all the
// same, and what they decided cannot be undone by a client that comes late.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { verdictOf } from '../../../storage-node/settle.ts'
import {
  isWholeOn,
  NUMBERS,
  newRingFile,
  type Ring,
  type RingFile,
  shareOf,
  startRing,
  until,
} from '../../support/ring.ts'
import { commit, prepare, store } from '../../support/stored-file.ts'

let ring: Ring

before(async () => {
  ring = await startRing('settle.grace_ms = 600')
})

after(() => ring?.[Symbol.asyncDispose]())

const everywhere = (file: RingFile) => async () => {
  for (const number of NUMBERS) if (!(await isWholeOn(ring, number, file))) return false
  return true
}

const nowhere = (file: RingFile) => async () => {
  for (const number of NUMBERS)
    if ((await ring.entryOf(number, file.file)) !== undefined) return false
  return true
}

for (const rows of [1, 3]) {
  const what = rows === 1 ? 'a small version' : 'a version in part files'

  test(`${what} that all four prepared and nobody committed becomes the file on all four`, async () => {
    const file = newRingFile({ rows, pieceBytes: 3000, x: rows })
    await ring.each(NUMBERS, async (client, number) => {
      if (rows === 1) await store(client, ring.alice, shareOf(file, number))
      else await prepare(client, ring.alice, shareOf(file, number))
    })
    await until('all four have it', everywhere(file))
    await until('nothing is undecided', async () => (await ring.status(2)).undecided === 0)
  })

  test(`${what} that only three prepared goes from all of them`, async () => {
    const file = newRingFile({ rows, pieceBytes: 3000 })
    await ring.each([1, 2, 4], (client, number) =>
      prepare(client, ring.alice, shareOf(file, number)),
    )
    await until('nobody has it', nowhere(file))
    // A message that was on its way all the time finds the version refused.
    const late = ring.at(3, (client) => prepare(client, ring.alice, shareOf(file, 3)))
    await assert.rejects(late, { code: 'STALE_VERSION' })
    const commits = ring.at(1, (client) => commit(client, ring.alice, shareOf(file, 1)))
    await assert.rejects(commits, { code: 'FILE_NOT_FOUND' })
  })
}

test('a commit that reached one node reaches the others by themselves', async () => {
  const file = newRingFile({ rows: 2, x: 3 })
  await ring.each(NUMBERS, (client, number) => prepare(client, ring.alice, shareOf(file, number)))
  await ring.at(3, (client) => commit(client, ring.alice, shareOf(file, 3)))
  await until('all four have it', everywhere(file))
})

test('a node that was killed before the commit came has the file when it is back', async () => {
  const file = newRingFile({ rows: 2 })
  await ring.each(NUMBERS, (client, number) => prepare(client, ring.alice, shareOf(file, number)))
  await ring.kill(2)
  await ring.each([1, 3, 4], (client, number) => commit(client, ring.alice, shareOf(file, number)))
  await ring.start(2)
  await until('all four have it', everywhere(file))
})

test('while a node is down nothing is decided that it might know better', async () => {
  const file = newRingFile({ x: 2 })
  await ring.each(NUMBERS, (client, number) => store(client, ring.alice, shareOf(file, number)))
  await ring.at(4, (client) => commit(client, ring.alice, shareOf(file, 4)))
  await ring.kill(4)
  const isPrepared = async (number: number) =>
    (await ring.entryOf(number, file.file))?.state === 'prepared'
  // Either they heard of the commit before the kill, or they wait for who knows of it.
  for (const number of [1, 2, 3]) {
    const isCommitted = await isWholeOn(ring, number, file)
    assert.ok(isCommitted || (await isPrepared(number)), `DFS${number}`)
  }
  await ring.start(4)
  await until('all four have it', everywhere(file))
})

test('what a node has promised to its peers no client can abort', async () => {
  const file = newRingFile()
  await ring.each(NUMBERS, (client, number) => store(client, ring.alice, shareOf(file, number)))
  const name = { file: file.file, version: file.version }
  await ring.at(1, async (client) => {
    const as = { ...ring.operator, user: 'alice' }
    const seen = await client.request('peer-entry', { ...name, decide: false }, { as })
    assert.equal(seen.header.standing, 'prepared')
    const bound = await client.request('peer-entry', { ...name, decide: true }, { as })
    assert.equal(bound.header.standing, 'prepared')
    const abort = client.request('abort-version', name, { as: ring.alice })
    await assert.rejects(abort, { code: 'PRECONDITION_FAILED' })
  })
  await until('all four have it', everywhere(file))
})

test('an upload that is given up before the nodes decide is gone everywhere', async () => {
  const file = newRingFile({ rows: 2 })
  await ring.each([1, 2, 3], (client, number) => prepare(client, ring.alice, shareOf(file, number)))
  const name = { file: file.file, version: file.version }
  await ring.at(2, (client) => client.request('abort-version', name, { as: ring.alice }))
  await until('nobody has it', nowhere(file))
})

test('the verdict: who must have said what', () => {
  const binding: [Parameters<typeof verdictOf>[0], string][] = [
    [['prepared', 'prepared', 'prepared'], 'commit'],
    [['prepared', 'prepared', 'blank'], 'commit'],
    [['prepared', 'blank', 'blank'], 'wait'],
    [['prepared', 'prepared', 'refused'], 'abort'],
    [['prepared', 'blank', 'refused'], 'abort'],
    [['refused', 'refused', 'refused'], 'abort'],
    [['prepared', 'refused', undefined], 'wait'],
    [['prepared', 'prepared', undefined], 'wait'],
    [['refused', 'refused', 'committed'], 'commit'],
    [['committed', undefined, undefined], 'commit'],
    [['superseded', 'refused', 'prepared'], 'wait'],
    [[undefined, undefined, undefined], 'wait'],
    [[], 'wait'],
  ]
  for (const [standings, verdict] of binding) {
    assert.equal(verdictOf(standings, true), verdict, standings.join())
    // Without a promise only a commit is certain.
    const certain = standings.includes('committed') ? 'commit' : 'wait'
    assert.equal(verdictOf(standings, false), certain, standings.join())
  }
})
