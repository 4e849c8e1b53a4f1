// Streams one lane of a version into the rows that wait for it, from one of the lane's two nodes,
// and goes on from the twin at the exact byte that the reader needs next when a node dies, stalls,
// crawls or sends damaged bytes. Where a node is slow to begin, both are asked, and the one that
// begins first goes on alone.
import {
  DfsError,
  type Entry,
  nodeName,
  nodesOfLane,
  partOfLane,
} from '@fourfold/storage-node/protocol'
import { LaneStream, type LaneStreamOptions } from './lane-stream.ts'

/** How often each source may fail before a piece came from any. */
const ROUNDS = 2
/** How long a source that took over from a slow one is left alone; twice as long each time. */
const FIRST_REST_MS = 10_000

export interface LaneReaderOptions extends Omit<LaneStreamOptions, 'onBegin'> {
  /** Nodes (0..3) that may send the lane's part, the preferred one first. */
  sources: readonly number[]
}

export class LaneReader {
  readonly #options: LaneReaderOptions
  readonly #streams = new Set<LaneStream>()
  /** The one that sends; all others are stopped. */
  #current: LaneStream | undefined
  #nextRow: number
  #isPaused = false
  #isStopped = false
  #wake: (() => void) | undefined
  /** The present source is given up for its slowness: that is no failure. */
  #isReplaced = false
  #restMs = FIRST_REST_MS
  #restUntilMs = 0

  constructor(options: LaneReaderOptions) {
    this.#options = options
    this.#nextRow = options.fromRow
  }

  /**
   * Reads all rows.
   * @throws DfsError when no source is left: FILE_NOT_FOUND where one said so, for then the version
   *   was replaced; else of the last one
   */
  async run(): Promise<void> {
    const { sources, lane } = this.#options
    let failure = new DfsError('PARTS_UNAVAILABLE', `No live node shows lane ${lane} of the file.`)
    let failedCount = 0
    // More than one round, for a source that failed before may be back when the twin fails.
    for (let turn = 0; failedCount < sources.length * ROUNDS && !this.#isDone; turn++) {
      const node = sources[turn % sources.length]!
      const twin = sources[(turn + 1) % sources.length]!
      const startRow = this.#nextRow
      this.#isReplaced = false
      // A source that failed while nothing was wanted: the next one is asked when something is.
      if (this.#isPaused) await new Promise<void>((resolve) => (this.#wake = resolve))
      if (this.#isDone) return
      try {
        await this.#readFrom(node, twin === node ? undefined : twin)
      } catch (error) {
        if (failure.code !== 'FILE_NOT_FOUND') failure = error as DfsError
        if (this.#isReplaced) continue
        failedCount = this.#nextRow > startRow ? 1 : failedCount + 1
      }
    }
    if (!this.#isDone) throw failure
  }

  /** More rows are wanted after `onPiece` said no. */
  resume(): void {
    this.#isPaused = false
    this.#wake?.()
    this.#current?.resume()
  }

  stop(): void {
    this.#isStopped = true
    this.#wake?.()
    const reason = new DfsError('ABORTED', 'The lane was given up.')
    for (const stream of this.#streams) stream.stop(reason)
  }

  /** The others wait for this lane: its twin takes over, unless it has done so only just now. */
  replaceSlow(): void {
    const { sources, cluster } = this.#options
    const slow = this.#current
    const nowMs = performance.now()
    if (slow === undefined || this.#isPaused || sources.length < 2) return
    if (nowMs < this.#restUntilMs || !cluster.hedge.take()) return
    this.#restUntilMs = nowMs + this.#restMs
    this.#restMs *= 2
    this.#isReplaced = true
    cluster.hedge.lost(slow.node)
    const message = `${nodeName(slow.node)} sends much more slowly than the others.`
    slow.stop(new DfsError('NODE_TIMEOUT', message, { node: slow.node + 1 }))
  }

  get #isDone(): boolean {
    return this.#isStopped || this.#nextRow === this.#options.toRow
  }

  /** Reads from `node`, or from `twin` where `node` is slow to begin and `twin` is not. */
  #readFrom(node: number, twin: number | undefined): Promise<void> {
    const { hedge } = this.#options.cluster
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let timer: NodeJS.Timeout | undefined
    this.#current = undefined

    const ask = (source: number): void => {
      const startMs = performance.now()
      const stream = this.#newStream(source, () => {
        clearTimeout(timer)
        hedge.saw(performance.now() - startMs)
        if (source !== node) hedge.lost(node)
        this.#takeOver(stream)
      })
      this.#streams.add(stream)
      stream.run().then(resolve, (error: DfsError) => {
        this.#streams.delete(stream)
        const isLast = this.#streams.size === 0
        if (this.#current === stream || (this.#current === undefined && isLast)) reject(error)
      })
    }

    ask(node)
    if (twin !== undefined) {
      const askTwin = () => {
        const isWaiting = this.#current === undefined && this.#streams.size > 0
        if (isWaiting && !this.#isStopped && hedge.take()) ask(twin)
      }
      // What arrived while this process itself was late is taken first.
      timer = setTimeout(() => setImmediate(askTwin), hedge.delayMs())
    }
    return promise.finally(() => {
      clearTimeout(timer)
      this.#streams.clear()
    })
  }

  #newStream(node: number, onBegin: () => void): LaneStream {
    const { onPiece } = this.#options
    return new LaneStream(node, {
      ...this.#options,
      fromRow: this.#nextRow,
      onBegin,
      onPiece: (row) => {
        this.#nextRow = row + 1
        this.#isPaused = !onPiece(row)
        return !this.#isPaused
      },
    })
  }

  #takeOver(winner: LaneStream): void {
    this.#current = winner
    for (const stream of this.#streams) {
      if (stream === winner) continue
      stream.stop(new DfsError('ABORTED', `${nodeName(winner.node)} was faster.`))
    }
  }
}

/**
 * The nodes that show lane `lane` of a version, the one that spreads a whole download evenly first.
 */
export function laneSources(lane: number, entry: Entry, partsHeld: readonly number[]): number[] {
  const bit = 1 << (partOfLane(lane, entry) - 1)
  return nodesOfLane(lane, entry.first).filter((node) => (partsHeld[node]! & bit) !== 0)
}
