// Streams one lane of a version into the rows that wait for it, from one of the lane's two nodes,
// and goes on from the twin at the exact byte that the reader needs next when a node dies, stalls,
// crawls or sends damaged bytes. Where a node is slow to begin, both are asked, and the one that
// begins first goes on alone.
import { DfsError, type Entry, nodesOfLane, partOfLane } from '@fourfold/storage-node/protocol'
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
  /** Asks one more source; `slow` is the node that it would replace. Only while reading. */
  #ask: ((source: number, slow?: number) => void) | undefined
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
      // A source that failed while nothing was wanted: the next one is asked when something is.
      if (this.#isPaused) await new Promise<void>((resolve) => (this.#wake = resolve))
      if (this.#isDone) return
      try {
        await this.#readFrom(node, twin === node ? undefined : twin)
      } catch (error) {
        if (failure.code !== 'FILE_NOT_FOUND') failure = error as DfsError
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

  /**
   * The others wait for this lane: its twin is asked as well, unless that was only just done, and
   * takes over where it begins before the piece that is waited for is whole.
   */
  replaceSlow(): void {
    const { sources, cluster } = this.#options
    const slow = this.#current
    const twin = sources.find((node) => node !== slow?.node)
    const nowMs = performance.now()
    if (slow === undefined || twin === undefined || this.#isPaused) return
    if (nowMs < this.#restUntilMs || !cluster.hedge.take()) return
    this.#restUntilMs = nowMs + this.#restMs
    this.#restMs *= 2
    this.#ask?.(twin, slow.node)
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
    this.#ask = (source, slow) => {
      const startMs = performance.now()
      const [rival, row] = [this.#current, this.#nextRow]
      const stream = this.#newStream(source, () => {
        // Somebody was faster, or the one that was slow is done with what was waited for.
        if (this.#current !== rival || this.#nextRow !== row) return stream.stop(outrun())
        clearTimeout(timer)
        hedge.saw(performance.now() - startMs)
        if (slow !== undefined) hedge.lost(slow)
        this.#takeOver(stream)
      })
      this.#streams.add(stream)
      stream.run().then(resolve, (error: DfsError) => {
        this.#streams.delete(stream)
        const isLast = this.#streams.size === 0
        if (this.#current === stream || (this.#current === undefined && isLast)) reject(error)
      })
    }
    this.#ask(node)
    if (twin !== undefined) {
      const askTwin = () => {
        const isWaiting = this.#current === undefined && this.#streams.size > 0
        if (isWaiting && !this.#isStopped && hedge.take()) this.#ask?.(twin, node)
      }
      // What arrived while this process itself was late is taken first.
      timer = setTimeout(() => setImmediate(askTwin), hedge.delayMs())
    }
    return promise.finally(() => {
      clearTimeout(timer)
      this.#ask = undefined
      for (const stream of this.#streams) stream.stop(outrun())
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
    for (const stream of this.#streams) if (stream !== winner) stream.stop(outrun())
  }
}

function outrun(): DfsError {
  return new DfsError('ABORTED', 'The twin was faster.')
}

/**
 * The nodes that show lane `lane` of a version, the one that spreads a whole download evenly first.
 */
export function laneSources(lane: number, entry: Entry, partsHeld: readonly number[]): number[] {
  const bit = 1 << (partOfLane(lane, entry) - 1)
  return nodesOfLane(lane, entry.first).filter((node) => (partsHeld[node]! & bit) !== 0)
}
