// The four nodes as JSON: health for every user, and the figures of disk, repair and scrub. Knows
// nothing of how they are had.
import { Type } from '@fourfold/storage-node/protocol'
import type { RepairProgress, ScrubPass, ScrubProgress } from '../dfs/node-status.ts'
import type { NodeState } from '../dfs/store.ts'

const count = (description: string) => Type.Integer({ minimum: 0, description })
const time = (description: string) => Type.String({ format: 'date-time', description })

const repairSchema = Type.Object(
  {
    state: Type.String({
      enum: ['idle', 'running', 'waiting'],
      description: 'waiting: what is missing cannot be had now; it is tried again.',
    }),
    done: count('Copies brought back in this repair, or in the last one.'),
    total: count('These, and the copies that are still missing.'),
    doneBytes: count('Bytes of the former.'),
    totalBytes: count('Bytes of the latter, estimated while something is missing.'),
    secondsLeft: Type.Optional(count('Estimate. Absent where nothing runs or it has only begun.')),
    unrepairable: count('Copies that cannot be brought back: their twins are gone too.'),
    started: Type.Optional(time('When this repair, or the last one, began.')),
    finished: Type.Optional(time('When the last repair ended.')),
  },
  { description: 'The copies that this node lacks. A copy is one of the parts of a file.' },
)

const passCounts = {
  pieces: count('Pieces read and compared with their checksums.'),
  bytes: count('Their bytes.'),
  damaged: count('Pieces that were not what was stored.'),
  mended: count('Of these, those replaced from the other copy.'),
  unmended: count('Of these, those for which there is no other copy.'),
}

const scrubSchema = Type.Object(
  {
    state: Type.String({ enum: ['idle', 'running'] }),
    ...passCounts,
    totalBytes: count('Bytes of a whole pass.'),
    started: Type.Optional(time('When this pass began.')),
    secondsLeft: Type.Optional(count('Until this pass ends; an estimate.')),
    last: Type.Optional(
      Type.Object(
        { started: time('When it began.'), finished: time('When it ended.'), ...passCounts },
        { description: 'The last pass that came to its end.' },
      ),
    ),
  },
  { description: 'The regular reading of all that the node holds, in passes.' },
)

/** What needs the cluster key is absent where the gateway has none, or the node does not answer. */
export const nodesSchema = Type.Object({
  nodes: Type.Array(
    Type.Object({
      name: Type.String({ description: 'DFS1 to DFS4, in ring order.' }),
      address: Type.String({ description: 'host:port' }),
      health: Type.String({ enum: ['up', 'connecting', 'down'] }),
      since: time('When the health last changed, as this gateway saw it.'),
      latencyMs: Type.Optional(Type.Number({ description: 'Round trip of the last ping.' })),
      full: Type.Optional(Type.Boolean({ description: 'It refuses uploads for want of disk.' })),
      reason: Type.Optional(Type.String({ description: 'Why it is not up, a sentence.' })),
      started: Type.Optional(time('When the process began: up since.')),
      files: Type.Optional(count('Files of which it holds parts.')),
      storedBytes: Type.Optional(count('Bytes of parts that it holds.')),
      diskBytes: Type.Optional(count('Size of its disk.')),
      freeBytes: Type.Optional(count('Free on its disk.')),
      reserveBytes: Type.Optional(count('Of these, kept free of uploads.')),
      repair: Type.Optional(repairSchema),
      scrub: Type.Optional(scrubSchema),
    }),
  ),
})

export function nodesJson(nodes: readonly NodeState[]) {
  return {
    nodes: nodes.map(({ sinceMs, startedMs, isFull, repair, scrub, ...rest }) => ({
      ...rest,
      since: isoOf(sinceMs),
      ...(isFull === undefined ? {} : { full: isFull }),
      ...(startedMs === undefined ? {} : { started: isoOf(startedMs) }),
      ...(repair === undefined ? {} : { repair: repairJson(repair) }),
      ...(scrub === undefined ? {} : { scrub: scrubJson(scrub) }),
    })),
  }
}

function repairJson(repair: RepairProgress) {
  const { state, doneCopies, totalCopies, doneBytes, totalBytes, lostCopies } = repair
  return {
    state,
    ...{ done: doneCopies, total: totalCopies, doneBytes, totalBytes, unrepairable: lostCopies },
    ...timesOf(repair),
  }
}

function scrubJson(scrub: ScrubProgress) {
  const { state, totalBytes, last } = scrub
  return {
    state,
    ...countsOf(scrub),
    totalBytes,
    ...timesOf(scrub),
    ...(last === undefined
      ? {}
      : {
          last: {
            ...{ started: isoOf(last.startedMs), finished: isoOf(last.finishedMs) },
            ...countsOf(last),
          },
        }),
  }
}

function countsOf(pass: Omit<ScrubPass, 'startedMs' | 'finishedMs'>) {
  const { pieces, bytes, damaged, mended, lost } = pass
  return { pieces, bytes, damaged, mended, unmended: lost }
}

function timesOf(progress: { startedMs?: number; finishedMs?: number; leftMs?: number }) {
  const { startedMs, finishedMs, leftMs } = progress
  return {
    ...(leftMs === undefined ? {} : { secondsLeft: Math.ceil(leftMs / 1000) }),
    ...(startedMs === undefined ? {} : { started: isoOf(startedMs) }),
    ...(finishedMs === undefined ? {} : { finished: isoOf(finishedMs) }),
  }
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
