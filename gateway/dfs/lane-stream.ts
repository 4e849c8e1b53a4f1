// One lane of a version as it comes from one node, on a connection of its own: piece by piece, in
// order. Neither the node nor this compares their CRC-32s, for the row's tag will tell more, and
// the sums are a fifth of what a download costs. Gives up when nothing comes for too long. Who else
// could send the lane, and when to ask them, is not known here.
import {
  type BodySink,
  DfsError,
  type Entry,
  ignoreBody,
  nodeName,
  partOfLane,
} from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import type { NodeConnection } from './connection.ts'
import type { Identity } from './identity.ts'

/** The whole stream of a lane may last this long: a day, for slow readers of large files. */
const STREAM_TIMEOUT_MS = 24 * 3_600_000

export interface LaneStreamOptions {
  cluster: Cluster
  identity: Identity
  entry: Entry
  /** Lane 0..3. */
  lane: number
  /** Rows `fromRow` to `toRow`, the latter not included. */
  fromRow: number
  toRow: number
  /** Expected bytes of the lane's piece of `row`. */
  pieceLength(row: number): number
  /** The node begins to send. */
  onBegin(): void
  /** Bytes of the piece of `row`, beginning `offset` bytes into it. */
  onBytes(row: number, offset: number, bytes: Buffer): void
  /** The piece of `row` is there. Answers whether more rows are wanted now. */
  onPiece(row: number): boolean
}

export class LaneStream {
  /** 0..3 */
  readonly node: number
  readonly #options: LaneStreamOptions
  #connection: NodeConnection | undefined
  #nextRow: number
  #hasBegun = false
  #isPaused = false
  #stopped: DfsError | undefined
  #stallTimer: NodeJS.Timeout | undefined

  constructor(node: number, options: LaneStreamOptions) {
    this.node = node
    this.#options = options
    this.#nextRow = options.fromRow
  }

  /** Reads all rows. @throws DfsError of the node, NODE_TIMEOUT, DAMAGED, the reason of `stop` */
  async run(): Promise<void> {
    const { cluster, identity, entry, lane, fromRow, toRow } = this.#options
    const connection = await cluster.takeBulk(this.node)
    this.#connection = connection
    if (this.#stopped !== undefined) connection.close(this.#stopped)
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
            from: fromRow,
            to: toRow,
            unchecked: true,
          },
          as: { by: 'user', identity },
          timeoutMs: STREAM_TIMEOUT_MS,
        },
        { onFrame: ({ row }, head) => this.#takePiece(row, head.bodyLength) },
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

  /** More rows are wanted after `onPiece` said no. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#connection?.resume()
    this.#watch()
  }

  stop(reason: DfsError): void {
    this.#stopped = reason
    clearTimeout(this.#stallTimer)
    this.#connection?.close(reason)
  }

  #takePiece(row: number, lengthBytes: number): BodySink {
    if (this.#stopped !== undefined) return ignoreBody
    const expected = this.#options.pieceLength(row)
    if (row !== this.#nextRow || lengthBytes !== expected) {
      throw this.#damaged(
        `sent ${lengthBytes} bytes for row ${row}, where ${expected} bytes of row ${this.#nextRow} were due`,
      )
    }
    if (!this.#hasBegun) {
      this.#hasBegun = true
      this.#options.onBegin()
      if (this.#stopped !== undefined) return ignoreBody
    }
    let offset = 0
    return {
      isUnchecked: true,
      write: (bytes: Buffer) => {
        if (this.#stopped !== undefined) return
        this.#options.onBytes(row, offset, bytes)
        offset += bytes.length
      },
      end: () => {
        if (this.#stopped !== undefined) return
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

  /** Closes the connection when no piece comes for too long. */
  #watch(): void {
    clearTimeout(this.#stallTimer)
    const connection = this.#connection
    if (connection === undefined || this.#isPaused) return
    const { stallTimeoutMs } = this.#options.cluster
    this.#stallTimer = setTimeout(() => {
      const message = `${nodeName(this.node)} sent nothing for ${stallTimeoutMs} ms.`
      connection.close(new DfsError('NODE_TIMEOUT', message, { node: this.node + 1 }))
    }, stallTimeoutMs)
  }

  #damaged(what: string): DfsError {
    return new DfsError('DAMAGED', `${nodeName(this.node)} ${what}.`, { node: this.node + 1 })
  }
}
