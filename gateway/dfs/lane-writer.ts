// Sends the sealed rows of one upload to the four nodes, as fast as the slowest of them takes them.
// Each piece leaves twice, from one buffer, which is given back when both sockets are done with it.
import { crc32 } from 'node:zlib'
import { type DfsError, lanesOfNode, NODE_COUNT } from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster } from './cluster.ts'
import type { NodeConnection } from './connection.ts'
import type { Identity } from './identity.ts'
import { lend } from './lease.ts'
import type { Piece } from './row.ts'

/** Bytes of one lane, and the CRC-32 over its pieces' CRC-32s. */
export interface LaneSum {
  bytes: number
  checksum: number
}

export interface LaneWriterOptions {
  cluster: Cluster
  identity: Identity
  /** Random id of the upload, 16 bytes. */
  upload: Buffer
  /** MD5(first row) mod 4. */
  first: number
  /** Plaintext bytes, where known: lets a node refuse early for want of disk. */
  sizeBytes?: number | undefined
  /** In place of opening an upload: one that the nodes keep goes on. */
  kept?: KeptStart
}

/** Where a kept upload goes on. */
export interface KeptStart {
  /** Of the checkpoint. */
  number: number
  /** Of lane 0..3, at the checkpoint. */
  sums: readonly LaneSum[]
  /** Told what a node (0..3) keeps of a row that is not full: two pieces or none. */
  onTail(node: number, pieces: readonly Buffer[]): void
}

/** Nodes that each piece goes to. */
const COPIES = 2

/** A fraction of what nodes allow by default, ten minutes. */
const KEEP_ALIVE_MS = 120_000

interface NodeChannel {
  connection: NodeConnection
  id: number
}

export class LaneWriter {
  readonly #options: LaneWriterOptions
  #channels: NodeChannel[] = []
  #keepAlive: NodeJS.Timeout | undefined
  #failure: DfsError | undefined
  /** Of lane 0..3. */
  readonly sums: LaneSum[]

  /** Opens the upload on all four nodes. @throws DfsError of the node that fails */
  static async open(options: LaneWriterOptions): Promise<LaneWriter> {
    const writer = new LaneWriter(options)
    // All of them have ended before the upload is given up: none opens it after that.
    const openings = await Promise.allSettled(ALL_NODES.map((node) => writer.#openNode(node)))
    const failure = openings.find((opening) => opening.status === 'rejected')
    if (failure === undefined) {
      writer.#keepAlive = setInterval(() => writer.#ping(), KEEP_ALIVE_MS).unref()
      return writer
    }
    await writer.abort()
    throw failure.reason
  }

  private constructor(options: LaneWriterOptions) {
    this.#options = options
    const nothing = { bytes: 0, checksum: 0 }
    const { sums = Array.from({ length: NODE_COUNT }, () => nothing) } = options.kept ?? {}
    this.sums = sums.map((sum) => ({ ...sum }))
  }

  /**
   * Queues a row at all nodes and waits until each has room again.
   * @throws DfsError of the first node that fails
   */
  async write(row: number, pieces: readonly Piece[]): Promise<void> {
    for (const [lane, { lengthBytes, crc }] of pieces.entries())
      addPiece(this.sums[lane]!, lengthBytes, crc)
    const releases = pieces.map(({ segments }) => lend(segments, COPIES))
    for (const { connection, id } of this.#channels) {
      const lanes = lanesOfNode(connection.index, this.#options.first)
      const body = lanes.map((lane) => pieces[lane]!)
      const fields = { upload: this.#options.upload, row }
      const call = { op: 'append', fields, body, ...this.#common() } as const
      const released = lanes.map((lane) => releases[lane]!.pop()!)
      connection.sendOnChannel(id, call, () => {
        for (const release of released) release()
      })
    }
    await Promise.all(
      this.#channels.map(({ connection }) =>
        connection.drained(this.#options.cluster.stallTimeoutMs),
      ),
    ).catch((error: unknown) => {
      // What the node said of itself explains more than the closed socket that followed.
      throw this.#failure ?? error
    })
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The sums of the two lanes that `node` keeps, in the order of its messages. */
  sumsOf(node: number): [LaneSum, LaneSum] {
    const [before, after] = lanesOfNode(node, this.#options.first)
    return [this.sums[before]!, this.sums[after]!]
  }

  /** The connection on which the rows went to `node`, so that what follows comes after them. */
  connectionTo(node: number): NodeConnection {
    return this.#channels.find(({ connection }) => connection.index === node)!.connection
  }

  /** Why a node refused a row, where one did. */
  get failure(): DfsError | undefined {
    return this.#failure
  }

  /** Gives the connections back. */
  close(): void {
    clearInterval(this.#keepAlive)
    for (const { connection, id } of this.#channels) {
      connection.closeChannel(id)
      this.#options.cluster.returnBulk(connection)
    }
    this.#channels = []
  }

  /** Gives the upload up; the nodes drop what they staged, but for what they keep. */
  async abort(): Promise<void> {
    clearInterval(this.#keepAlive)
    for (const { connection, id } of this.#channels) {
      connection.closeChannel(id)
      connection.close()
    }
    this.#channels = []
    const { cluster, identity, kept, upload } = this.#options
    const as = { by: 'user', identity } as const
    const request = { op: 'abort-upload', fields: { upload }, as } as const
    // What is kept stays where it is, whether a node has heard this or not.
    if (kept !== undefined) cluster.tellLater(ALL_NODES, request)
    else await cluster.tellEach(request)
  }

  /** A node closes connections that are silent long; a slow client may need longer for a row. */
  #ping(): void {
    const ping = { op: 'ping', fields: {}, as: { by: 'anyone' } } as const
    const { stallTimeoutMs: timeoutMs } = this.#options.cluster
    for (const { connection } of this.#channels) {
      connection.request({ ...ping, timeoutMs }).catch(() => {})
    }
  }

  async #openNode(node: number): Promise<void> {
    const { cluster, first, kept, upload, sizeBytes } = this.#options
    const connection = await cluster.takeBulk(node)
    const id = connection.openChannel((error) => {
      this.#failure ??= error
    })
    this.#channels.push({ connection, id })
    if (kept !== undefined) {
      const fields = { upload, number: kept.number }
      const answer = await connection.request({ op: 'keep-resume', fields, ...this.#common() })
      kept.onTail(node, answer.body)
      return
    }
    const fields = { upload, first, ...(sizeBytes !== undefined && { size: sizeBytes }) }
    await connection.request({ op: 'open', fields, ...this.#common() })
  }

  #common() {
    const { identity, cluster } = this.#options
    return { as: { by: 'user', identity } as const, timeoutMs: cluster.stallTimeoutMs }
  }
}

/** Adds one piece to the sums of its lane. */
export function addPiece(sum: LaneSum, lengthBytes: number, crc: number): void {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc)
  sum.bytes += lengthBytes
  sum.checksum = crc32(bytes, sum.checksum)
}
