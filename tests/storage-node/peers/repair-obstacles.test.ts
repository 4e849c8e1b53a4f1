// A repair that meets what it cannot get over, a sector of the twin that cannot be read or no room
// of its own, brings back all the rest, says what is left, and goes on by itself once it can.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import {
  isWholeOn,
  newRingFile,
  partFiles,
  putFiles,
  type Ring,
  type RingFile,
  startRing,
  until,
} from '../../support/ring.ts'

const LOSER = 3

async function countWhole(ring: Ring, files: readonly RingFile[]): Promise<number> {
  let count = 0
  for (const file of files) if (await isWholeOn(ring, LOSER, file)) count++
  return count
}

test('a part that the twin cannot read is told as lost and holds up no other', async () => {
  await using ring = await startRing()
  const files = Array.from({ length: 12 }, (_, index) =>
    newRingFile({ x: index % 4, rows: 2, pieceBytes: 8 }),
  )
  await putFiles(ring, files)
  const { folder } = ring.cluster.nodes[LOSER - 1]!
  const twin = ring.cluster.nodes[LOSER - 2]!
  const [first] = [...partFiles(twin.folder).keys()].filter((path) => partFiles(folder).has(path))
  const path = `${twin.folder}/parts/${first}`
  const bytes = readFileSync(path)
  // Opens, is long enough, and cannot be read.
  rmSync(path)
  mkdirSync(path)
  await ring.wipe(LOSER)
  await ring.start(LOSER)
  await until('all but that part are back', async () => {
    const { missingParts, lostParts, doneParts } = (await ring.status(LOSER)).repair
    return missingParts === 0 && lostParts === 1 && doneParts === 2 * files.length - 1
  })
  assert.equal(await countWhole(ring, files), files.length - 1)
  // The disk can be read again; what is lost is tried again after a start.
  rmdirSync(path)
  writeFileSync(path, bytes)
  await ring.kill(LOSER)
  await ring.start(LOSER)
  await until('the last one is back', async () => {
    return (await countWhole(ring, files)) === files.length
  })
})

test('a node with no room for what it lacks knows all files, waits, and does not fill its log', async () => {
  await using ring = await startRing()
  const files = [1, 2, 3].flatMap((x) => [newRingFile({ x }), newRingFile({ x, rows: 3 })])
  await putFiles(ring, files)
  const { dfsConfFile, nodes } = ring.cluster
  const conf = readFileSync(dfsConfFile, 'utf8')
  await ring.wipe(LOSER)
  writeFileSync(dfsConfFile, conf.replace('reserve_bytes = 0', `reserve_bytes = ${2 ** 52}`))
  await ring.start(LOSER)
  await until('it knows what it lacks', async () => {
    const { files: count, repair } = await ring.status(LOSER)
    return count === files.length && repair.failedParts === 2 * files.length
  })
  const { output, waitFor } = nodes[LOSER - 1]!.process
  await waitFor(/Parts have no place on this disk; they are tried again\. failedParts=12/)
  // There is nothing to wait for: many times as long as the peers are asked again.
  await pause(1500)
  const warnings = output().match(/ warn: /g) ?? []
  assert.ok(warnings.length <= 2, output())
  await ring.kill(LOSER)
  writeFileSync(dfsConfFile, conf)
  await ring.start(LOSER)
  await until('all is back', async () => (await countWhole(ring, files)) === files.length)
})
