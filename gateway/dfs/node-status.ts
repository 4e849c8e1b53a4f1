// What the nodes say of themselves to whoever has the cluster key: disk, repair, scrub. Asked when
// somebody looks, remembered for a moment, and left out where a node is slow to tell.
import {
  DfsError,
  type RepairState,
  type ResponseOf,
  type ScrubState,
} from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import type { NodeState } from './store.ts'

/** Figures are for looking at: a node that is slow to tell is shown without them. */
const STATUS_TIMEOUT_MS = 2000
/** Older figures are not shown: they would say of a node what is no longer so. */
const FRESH_MS = 15_000

/** How far a node is with the copies that it lacks. A copy is one part on one node. */
export interface RepairProgress {
  /** `waiting`: what is missing cannot be had now, because the other copies are out of reach. */
  state: 'idle' | 'running' | 'waiting'
  /** Copies brought back in this repair, or in the last one. */
  doneCopies: number
  totalCopies: number
  doneBytes: number
  /** An estimate: how long a missing copy is, is known once it is here. */
  totalBytes: number
  /** Absent where nothing is running, or it has only begun. */
  leftMs?: number
  /** Copies that cannot be brought back, for their twin is gone or damaged as well. */
  lostCopies: number
  startedMs?: number
  /** When the last repair came to its end. */
  finishedMs?: number
}

/** One pass of a scrub over all pieces that a node holds. */
export interface ScrubPass {
  startedMs: number
  finishedMs: number
  pieces: number
  bytes: number
  /** Pieces that were not what was stored; of these, those replaced from the twin, and the rest. */
  damaged: number
  mended: number
  lost: number
}

export interface ScrubProgress extends Omit<ScrubPass, 'startedMs' | 'finishedMs'> {
  state: 'idle' | 'running'
  totalBytes: number
  startedMs?: number
  leftMs?: number
  /** The last pass that came to its end. */
  last?: ScrubPass
}

/** What a node tells with the cluster key alone. */
export interface NodeFigures {
  freeBytes: number
  storedBytes: number
  files: number
  startedMs: number
  /** Size of the disk, and what of it uploads leave free. */
  diskBytes: number
  reserveBytes: number
  repair: RepairProgress
  scrub: ScrubProgress
}

export type NodeStatus = ReturnType<typeof createNodeStatus>

/** `key`: the cluster key; without it nothing is asked, and nothing but health is known. */
export function createNodeStatus(cluster: Cluster, key: Buffer | undefined) {
  const known: ({ epoch: string; atMs: number; figures: NodeFigures } | undefined)[] = []
  let asking: Promise<void> | undefined

  async function ask(): Promise<void> {
    const outcomes = await cluster.callEach(cluster.live(), () => ({
      op: 'status',
      fields: {},
      as: { by: 'cluster', key: key! },
      timeoutMs: STATUS_TIMEOUT_MS,
    }))
    for (const { node, value } of outcomes) {
      if (value === undefined) continue
      const figures = figuresOf(value.header)
      known[node] = { epoch: epochOf(node), atMs: performance.now(), figures }
    }
  }

  const epochOf = (node: number) => Buffer.from(cluster.epochOf(node) ?? []).toString('hex')

  /** The nodes with the figures that are known now. */
  function states(): NodeState[] {
    return cluster.states().map((state, node) => {
      const { epoch, atMs, figures } = known[node] ?? {}
      const isFresh = atMs !== undefined && performance.now() - atMs < FRESH_MS
      const isShown = state.health === 'up' && isFresh && epoch === epochOf(node)
      return isShown ? { ...state, ...figures } : state
    })
  }

  /** @throws DfsError FORBIDDEN where there is no cluster key */
  function requireKey(): Buffer {
    if (key !== undefined) return key
    throw new DfsError('FORBIDDEN', 'There is no cluster key here; operators need it.')
  }

  return {
    states,
    requireKey,
    /**
     * Asks nodes (0..3) to read all that they hold, now and at their full pace. Answers for each
     * what came of it.
     * @throws DfsError FORBIDDEN where there is no cluster key
     */
    scrub(nodes: readonly number[]): Promise<{ node: number; error?: DfsError | undefined }[]> {
      const as = { by: 'cluster', key: requireKey() } as const
      return cluster.callEach(nodes, () => ({ op: 'scrub', fields: {}, as }))
    },
    /** As `states`, after asking; askers at the same time share one round of questions. */
    async fresh(): Promise<NodeState[]> {
      if (key === undefined) return cluster.states()
      asking ??= ask().finally(() => {
        asking = undefined
      })
      await asking
      return states()
    },
  }
}

function figuresOf(status: ResponseOf<'status'>): NodeFigures {
  const { freeBytes, storedBytes, files, startedMs, diskBytes, reserveBytes } = status
  const disk = { freeBytes, diskBytes, reserveBytes, storedBytes }
  return {
    ...disk,
    files,
    startedMs,
    repair: repairOf(status.repair),
    scrub: scrubOf(status.scrub),
  }
}

function repairOf(repair: RepairState): RepairProgress {
  const { isRunning, missingParts, lostParts, doneParts, doneBytes, leftBytes } = repair
  const { leftMs, startedMs, finishedMs } = repair
  return {
    state: missingParts === 0 ? 'idle' : isRunning ? 'running' : 'waiting',
    doneCopies: doneParts,
    totalCopies: doneParts + missingParts,
    doneBytes,
    totalBytes: doneBytes + leftBytes,
    lostCopies: lostParts,
    ...(leftMs === undefined ? {} : { leftMs }),
    ...(startedMs === undefined ? {} : { startedMs }),
    ...(finishedMs === undefined ? {} : { finishedMs }),
  }
}

function scrubOf({ isRunning, isHurried: _, ...rest }: ScrubState): ScrubProgress {
  return { state: isRunning ? 'running' : 'idle', ...rest }
}
