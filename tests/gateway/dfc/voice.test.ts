// The voice of dfc: sizes, times, names, copies, and failures as sentences with hints.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DfsError } from '@fourfold/storage-node/protocol'
import { barLine } from '../../../gateway/dfc/progress.ts'
import {
  copiesWord,
  countText,
  downSentence,
  durationText,
  errorLines,
  exitCodeOf,
  localError,
  sizeText,
  timeText,
  usageError,
  visibleText,
} from '../../../gateway/dfc/voice.ts'
import type { NodeState } from '../../../gateway/dfs/store.ts'
import { formatSize } from '../../../web/format.ts'

test('sizes are decimal, and the same as on the page', () => {
  const sizes = [0, 1, 999, 1000, 6_200_000, 99_949_999, 99_950_000, 999_499_999, 999_500_000, 2e12]
  for (const size of sizes) assert.equal(sizeText(size), formatSize(size))
  assert.equal(sizeText(6_200_000), '6.2 MB')
  assert.equal(countText(1, 'file'), '1 file')
  assert.equal(countText(1248, 'file'), '1,248 files')
  assert.equal(countText(999, 'file'), '999 files')
  assert.equal(countText(1_234_567, 'file'), '1,234,567 files')
})

test('times are local and short', () => {
  assert.equal(timeText(new Date(2026, 10, 2, 9, 6).getTime()), '2026-11-02 09:06')
  assert.equal(timeText(Number.NaN), '-')
})

test('a duration is told in one unit', () => {
  assert.equal(durationText(400), '1 s')
  assert.equal(durationText(89_000), '89 s')
  assert.equal(durationText(240_000), '4 min')
  assert.equal(durationText(3 * 3_600_000), '3 h')
  assert.equal(durationText(29.6 * 86_400_000), '30 days')
})

test('a name cannot move the cursor, break a line or turn the reading direction', () => {
  assert.equal(visibleText('a\nb\t\u001b[31m\u202efdp.exe'), 'a\\nb\\t\\u001b[31m\\u202efdp.exe')
  assert.equal(visibleText('😀 ß é.bin'), '😀 ß é.bin')
  assert.equal(visibleText('\ud800'), '\ufffd')
})

test('copies are told in a word, and a lost part names its cure', () => {
  const word = (copies: number, missingNodes: string[] = [], missingParts: number[] = []) => {
    const isLost = missingNodes.length + missingParts.length > 0
    const state = isLost ? 'insufficient' : copies === 255 ? 'complete' : 'degraded'
    return copiesWord({ state, copies, missingNodes, missingParts })
  }
  assert.equal(word(255), '2 copies')
  assert.equal(word(0b1110_1110), '1 copy left')
  // DFS3 and DFS4 down: quarters 1..3 lose copies, quarter 2 both.
  assert.equal(word(0b1000_0111, ['DFS3', 'DFS4'], [3]), 'Needs DFS3 or DFS4')
  // DFS2, DFS3 and DFS4 down: quarters 1 and 2 are lost, and DFS3 alone brings both back.
  assert.equal(word(0b1000_0001, ['DFS2', 'DFS3', 'DFS4'], [2, 3]), 'Needs DFS3')
  assert.equal(word(0, ['DFS1', 'DFS3'], [1, 2, 3, 4]), 'Needs DFS1 and DFS3')
  assert.equal(word(0b1111_1100, [], [2]), 'Part 2 missing')
  assert.equal(word(0b1111_0000, [], [2, 3]), 'Parts 2 and 3 missing')
})

test('nodes that are down are named', () => {
  assert.equal(downSentence([]), undefined)
  assert.equal(downSentence(['DFS3']), 'DFS3 is down.')
  assert.equal(downSentence(['DFS1', 'DFS3', 'DFS4']), 'DFS1, DFS3 and DFS4 are down.')
})

test('a failure is a sentence and a hint, and missing nodes say why', () => {
  const down: NodeState = {
    name: 'DFS3',
    address: 'c:1',
    health: 'down',
    sinceMs: 0,
    reason: 'DFS3 cannot be reached.',
  }
  const up: NodeState = { name: 'DFS1', address: 'a:1', health: 'up', sinceMs: 0 }
  const error = new DfsError('NODES_UNAVAILABLE', 'DFS3 is not answering.')
  assert.deepEqual(errorLines(error, [up, down]), [
    'dfc: DFS3 is not answering.',
    'dfc: DFS3 cannot be reached.',
    'dfc: hint: Start the nodes that are named.',
  ])
  const missing = new DfsError('FILE_NOT_FOUND', 'There is no file a\u001b.')
  assert.deepEqual(errorLines(missing, [down]), [
    'dfc: There is no file a\\u001b.',
    'dfc: hint: Look at the listing for the names that exist.',
  ])
  assert.deepEqual(errorLines(localError('It is so.', 'Do that.')), [
    'dfc: It is so.',
    'dfc: hint: Do that.',
  ])
  const system = Object.assign(new Error('ENOSPC: x'), { code: 'ENOSPC', syscall: 'write' })
  assert.deepEqual(errorLines(system), ['dfc: write: the disk is full.'])
})

test('the exit code tells failure, wrong usage and Ctrl-C apart', () => {
  assert.equal(exitCodeOf(new DfsError('FILE_NOT_FOUND', 'x')), 1)
  assert.equal(exitCodeOf(localError('x', 'y')), 1)
  assert.equal(exitCodeOf(new Error('x')), 1)
  assert.equal(exitCodeOf(usageError('x')), 2)
  assert.equal(exitCodeOf(new DfsError('ABORTED', 'x')), 130)
})

test('the progress line keeps to the width of the terminal, the name giving way', () => {
  const done = { doneBytes: 2_700_000, totalBytes: 6_200_000, seconds: 0.1 }
  assert.equal(
    barLine('notes.txt', done, 80),
    'notes.txt  █████████░░░░░░░░░░░   43 %  2.7 MB of 6.2 MB  27.0 MB/s',
  )
  const long = barLine('n'.repeat(300), done, 80)
  assert(long.length < 80 && long.includes('n… '), long)
  assert.equal(barLine('x', { ...done, totalBytes: undefined }, 80), 'x  2.7 MB  27.0 MB/s')
  assert.match(barLine('x', { doneBytes: 0, totalBytes: 0, seconds: 0 }, 80), /100 %/)
})
