// Streams one lane of a version into the rows that wait for it, from one of the lane's two nodes,
// and goes on from the twin at the exact row when a node dies, stalls or sends damaged bytes.
import {
  DfsError,
  type Entry,
  nodeName,
  nodesOfLane,
  partOfLane,
} from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import type { NodeConnection } from './connection.ts'
import type { Identity } from './identity.ts'

/** The whole stream of a lane may last this long: a day, for slow readers of large files. */
const STREAM_TIMEOUT_MS = 24 * 3_600_000

export interface LaneReaderOptions {
  cluster: Cluster
  identity: Identity
  entry: Entry
  /** Lane 0..3. */
  lane: number
  /** Rows `fromRow` to `toRow`, the latter not included. */
  fromRow: number
  toRow: number
  /** Nodes (0..3) that show the lane's part, the preferred one first. */
  sources: number[]
  /** Takes bytes of this lane's piece of `row`, beginning `offset` bytes into it. */
  onBytes(row: number, offset: number, bytes: Buffer): void
  /** The piece of `row` is whole and its CRC-32 right. Answers whether more rows are wanted now. */
  onPiece(row: number): boolean
  /** Expected bytes of the lane's piece of `row`. */
  pieceLength(row: number): number
}

export class LaneReader {
  readonly #options: LaneReaderOptions
  #connection: NodeConnection | undefined
  #nextRow: number
  #isPaused = false
  #isStopped = false
  #stallTimer: NodeJS.Timeout | undefined

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
    const { sources, toRow, lane } = this.#options
    let failure = new DfsError('PARTS_UNAVAILABLE', `No live node shows lane ${lane} of the file.`)
    // A second round, for a source that failed long ago may be back when the twin fails.
    for (const node of [...sources, ...sources]) {
      if (this.#nextRow === toRow || this.#isStopped) return
      try {
        await this.#readFrom(node)
      } catch (error) {
        if (failure.code !== 'FILE_NOT_FOUND') failure = error as DfsError
      }
    }
    if (this.#nextRow < toRow && !this.#isStopped) throw failure
  }

  /** More rows are wanted after `onPiece` said no. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#connection?.resume()
    this.#watch()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#stallTimer)
    this.#connection?.close()
  }

  async #readFrom(node: number): Promise<void> {
    const { cluster, identity, entry, lane, toRow } = this.#options
    const connection = await cluster.takeBulk(node)
    if (this.#isStopped) connection.close()
    this.#connection = connection
    this.#watch()
    if (this.#isPaused) connection.pause()
    try {
      await connection.stream(
        {
          op: 'read',
          fields: {
            file: entry.file,
            version: entry.version,
            part: partOfLane(lane, entry),
            from: this.#nextRow,
            to: toRow,
          },
          as: { by: 'user', identity },
          timeoutMs: STREAM_TIMEOUT_MS,
        },
        { onFrame: ({ row }, head) => this.#takePiece(node, row, head.bodyLength) },
      )
      cluster.returnBulk(connection)
    } catch (error) {
      connection.close()
      throw error
    } finally {
      clearTimeout(this.#stallTimer)
      this.#connection = undefined
    }
  }

  #takePiece(node: number, row: number, lengthBytes: number) {
    const expected = this.#options.pieceLength(row)
    if (row !== this.#nextRow || lengthBytes !== expected) {
      const message = `${nodeName(node)} sent ${lengthBytes} bytes for row ${row}, where ${expected} bytes of row ${this.#nextRow} were due.`
      throw new DfsError('DAMAGED', message, { node: node + 1 })
    }
    let offset = 0
    return {
      write: (bytes: Buffer) => {
        this.#options.onBytes(row, offset, bytes)
        offset += bytes.length
      },
      end: (damaged: readonly number[]) => {
        if (damaged.length > 0) {
          const message = `${nodeName(node)} sent a damaged piece of row ${row}.`
          throw new DfsError('DAMAGED', message, { node: node + 1 })
        }
        this.#nextRow = row + 1
        this.#stallTimer?.refresh()
        // After its last row the connection goes back to the pool, so it must not stay paused.
        if (this.#options.onPiece(row) || row + 1 === this.#options.toRow) return
        this.#isPaused = true
        this.#connection?.pause()
        clearTimeout(this.#stallTimer)
      },
    }
  }

  /** Closes the connection, and so changes to the twin, when no byte comes for too long. */
  #watch(): void {
    clearTimeout(this.#stallTimer)
    const connection = this.#connection
    if (connection === undefined || this.#isPaused) return
    const { stallTimeoutMs } = this.#options.cluster
    this.#stallTimer = setTimeout(() => {
      const message = `${nodeName(connection.index)} sent nothing for ${stallTimeoutMs} ms.`
      connection.close(new DfsError('NODE_TIMEOUT', message, { node: connection.index + 1 }))
    }, stallTimeoutMs)
  }
}

/**
 * The nodes that show lane `lane` of a version, the one that spreads a whole download evenly first.
 */
export function laneSources(lane: number, entry: Entry, partsHeld: readonly number[]): number[] {
  const bit = 1 << (partOfLane(lane, entry) - 1)
  return nodesOfLane(lane, entry.first).filter((node) => (partsHeld[node]! & bit) !== 0)
}
