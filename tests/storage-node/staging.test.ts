// Uploads that arrive: how much of them may wait for the disk.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { openFolder } from '../../storage-node/folder.ts'
import type { Section } from '../../storage-node/protocol/index.ts'
import { createStaging } from '../../storage-node/staging.ts'
import { temporaryFolder } from '../support/storage-node.ts'

const PIECE = randomBytes(262_148)
const MIB = 1_048_576

async function newStaging(t: TestContext, syncEveryBytes: number) {
  const { path, remove } = temporaryFolder()
  t.after(remove)
  const { catalog, stagingPath } = await openFolder(`${path}/DFS1`, 1)
  t.after(() => catalog.close())
  return createStaging({ folder: stagingPath, node: 1, ageMs: 3_600_000, syncEveryBytes })
}

/** The most bytes of a lane that nobody had begun to push to the disk, over twenty rows. */
async function mostUnpushed(staging: Awaited<ReturnType<typeof newStaging>>, isShared: boolean) {
  const upload = staging.open('alice', randomBytes(16), 0)
  const crc = crc32(PIECE)
  let most = 0
  for (let row = 0; row < 20; row++) {
    if (isShared) staging.noteSmall()
    const sections = [
      [PIECE.length, crc],
      [PIECE.length, crc],
    ] satisfies Section[]
    const onFault = (error: Error) => assert.fail(error)
    const sink = staging.write(upload, { row, sections, hold: () => () => {}, onFault })
    for (const section of [0, 1]) sink.write(PIECE, section)
    sink.end([])
    most = Math.max(most, ...upload.lanes.map(({ unsyncedBytes }) => unsyncedBytes))
    await Promise.all(upload.lanes.map(({ syncing }) => syncing))
  }
  await staging.drop(upload)
  return most
}

test('an upload lets 4 MiB wait for the disk, and 1 MiB while small files come', async (t) => {
  const staging = await newStaging(t, 4 * MIB)
  const isBelow = (bytes: number, most: number) => bytes > most - PIECE.length && bytes <= most
  assert.ok(isBelow(await mostUnpushed(staging, false), 4 * MIB))
  assert.ok(isBelow(await mostUnpushed(staging, true), MIB))
})

test('an operator who wants less than that gets it at all times', async (t) => {
  const staging = await newStaging(t, 300_000)
  assert.ok((await mostUnpushed(staging, true)) < 300_000)
})
