// One writer of a kept upload: takes it, goes on from its last checkpoint, gathers rows, sends them
// to the nodes, and makes checkpoints on the way and at the end. What a checkpoint does not say
// never happened.
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { DfsError, lanesOfNode, ROW_BYTES, UPLOAD_ID_BYTES } from '@fourfold/storage-node/protocol'
import { ALL_NODES } from './cluster.ts'
import { type KeptAt, takeKept } from './kept-nodes.ts'
import { attemptsOf, openTail, sealState, sealTail, tailBytes } from './kept-state.ts'
import { LaneWriter } from './lane-writer.ts'
import { giveBack } from './lease.ts'
import { cutInPieces, sealRow } from './row.ts'
import { RowDigest } from './row-digest.ts'
import { RowFill } from './row-fill.ts'
import type { Uploader } from './upload.ts'

/** A checkpoint costs each node a sync of two files and a commit; what is after it can be lost. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024
const CHECKPOINT_MS = 2000
/** After so long, also the bytes of a row that is not full are put into a checkpoint. */
const TAIL_CHECKPOINT_MS = 10_000
/** The nodes' disks may be slow; nodes that are away are noticed sooner. */
const CHECKPOINT_TIMEOUT_MS = 120_000

export interface SessionOptions extends Uploader {
  /** How long an upload may stand still, milliseconds; each checkpoint prolongs its life. */
  keepMs: number
}

export class KeptSession {
  readonly #options: SessionOptions
  readonly #at: KeptAt
  readonly #rowKey: KeyObject
  readonly #row = new RowFill()
  readonly attempts: number[]
  /** The id under which the nodes take rows; nobody else knows it. */
  readonly as: Buffer
  writer!: LaneWriter
  /** Over full rows; none is needed where all rows are there. */
  #digest: RowDigest | undefined
  #number: number
  #lastMs = performance.now()
  #lastRows: number
  #lastOffset: number
  #checkpointing: Promise<void> | undefined
  #failure: unknown
  rows: number
  /** Plaintext bytes of the whole file, where they are known. */
  sizeBytes: number | null

  /**
   * Takes the upload from whoever wrote to it before, and goes back to its last checkpoint.
   * @throws DfsError UPLOAD_UNKNOWN, UPLOAD_LOCKED, OFFSET_MISMATCH, NODES_UNAVAILABLE, DAMAGED
   */
  static async take(
    options: SessionOptions,
    place: { id: Buffer; offsetBytes: number },
  ): Promise<KeptSession> {
    const as = randomBytes(UPLOAD_ID_BYTES)
    const at = await takeKept(options.cluster, options.identity, { id: place.id, as })
    requireOffset(at, place.offsetBytes)
    const session = new KeptSession(options, at, as)
    try {
      await session.#open()
    } catch (error) {
      await session.writer?.abort()
      throw error
    }
    return session
  }

  private constructor(options: SessionOptions, at: KeptAt, as: Buffer) {
    this.#options = options
    this.#at = at
    this.as = as
    this.#rowKey = createSecretKey(at.state.key)
    this.attempts = attemptsOf(at.state, at.rows, at.take)
    this.#number = at.number
    this.rows = at.rows
    this.#lastRows = at.rows
    this.#lastOffset = at.state.offset
    this.sizeBytes = at.state.size
  }

  get at(): KeptAt {
    return this.#at
  }

  /** Plaintext bytes so far, kept or not. */
  get offsetBytes(): number {
    const limitBytes = this.sizeBytes ?? Number.MAX_SAFE_INTEGER
    // The last row, where it is there, counts as a row and may be shorter than one.
    return Math.min(this.rows * ROW_BYTES + this.#row.lengthBytes, limitBytes)
  }

  /** The row that is not full, in buffers that follow each other. */
  get tail(): Buffer[] {
    return this.#row.slices()
  }

  /** @throws DfsError LENGTH_MISMATCH, and whatever sending meets */
  async push(bytes: Uint8Array): Promise<void> {
    const endBytes = this.offsetBytes + bytes.length
    const limitBytes = this.sizeBytes ?? Number.MAX_SAFE_INTEGER
    if (endBytes > limitBytes) throw tooMany(limitBytes)
    if (this.#failure !== undefined) throw this.#failure
    let at = 0
    while (at < bytes.length) {
      // A full row is sealed when a byte follows: only then is it known not to be the last.
      if (this.#row.lengthBytes === ROW_BYTES) await this.#sendRow(false)
      at += this.#row.add(bytes.subarray(at))
    }
  }

  /**
   * Makes a checkpoint where one is due; nobody waits for it, but the next waits for this one.
   * While no bytes come (`isQuiet`) all that came is put into it.
   */
  checkpointIfDue({ isQuiet = false } = {}): void {
    if (this.#checkpointing !== undefined || this.#failure !== undefined) return
    const newBytes = (this.rows - this.#lastRows) * ROW_BYTES
    const sinceMs = performance.now() - this.#lastMs
    const isNew = this.offsetBytes > this.#lastOffset
    const withTail = isNew && (isQuiet || sinceMs > TAIL_CHECKPOINT_MS)
    const isDue = newBytes >= CHECKPOINT_BYTES || (newBytes > 0 && sinceMs > CHECKPOINT_MS)
    if (!isDue && !withTail) return
    this.#checkpointing = this.#checkpoint({ withTail, isClosed: false })
      .catch((error: unknown) => {
        this.#failure = error
      })
      .finally(() => {
        this.#checkpointing = undefined
      })
  }

  /** All bytes so far are kept when this resolves, and nothing more may be pushed. */
  async close(): Promise<void> {
    await this.#checkpointing
    if (this.#failure !== undefined) throw this.#failure
    const isFull = this.#row.lengthBytes === ROW_BYTES && this.offsetBytes < (this.sizeBytes ?? 0)
    if (isFull) await this.#sendRow(false)
    await this.#checkpoint({ withTail: true, isClosed: true })
  }

  /** Sends the last row; all rows are kept then. Answers the MD5 of all. */
  async complete(): Promise<Buffer> {
    await this.#checkpointing
    if (this.#failure !== undefined) throw this.#failure
    // A writer before this one may have come as far, and died before the end.
    if (isComplete(this.#at)) return Buffer.from(this.#at.state.state)
    await this.#sendRow(true)
    const md5 = this.#digest!.finish()
    await this.#checkpoint({ withTail: false, isClosed: true, md5 })
    return md5
  }

  async #open(): Promise<void> {
    const { cluster, identity } = this.#options
    const { state, number, rows, first } = this.#at
    const pieces: (Buffer | undefined)[][] = ALL_NODES.map(() => [])
    const onTail = (node: number, [before, after]: readonly Buffer[]) => {
      const [one, two] = lanesOfNode(node, first)
      pieces[node]![one] = before
      pieces[node]![two] = after
    }
    const sums = state.lanes.map(([bytes, checksum]) => ({ bytes, checksum }))
    const kept = { number, sums, onTail }
    this.writer = await LaneWriter.open({ cluster, identity, upload: this.as, first, kept }).catch(
      (error: unknown) => {
        throw lockedIfUnknown(error)
      },
    )
    if (!isComplete(this.#at)) {
      this.#digest = await RowDigest.resume(state.state, rows * ROW_BYTES)
    }
    if (tailBytes(state, rows) > 0) this.#takeTail(pieces)
  }

  #takeTail(pieces: readonly (Buffer | undefined)[][]): void {
    const { identity } = this.#options
    const { state, rows, id } = this.#at
    // Two opposite nodes have all four pieces; the other two have them again.
    for (const [one, two] of [
      [0, 2],
      [1, 3],
    ] as const) {
      const lanes = ALL_NODES.map((lane) => pieces[one]![lane] ?? pieces[two]![lane])
      if (lanes.some((piece) => piece === undefined)) continue
      const tail = openTail(identity.entryKey, id, Buffer.concat(lanes as Buffer[]))
      if (tail?.length !== tailBytes(state, rows)) continue
      this.#row.add(tail)
      return
    }
    throw new DfsError('DAMAGED', 'The end of what is kept of the upload does not open.')
  }

  async #sendRow(isLast: boolean): Promise<void> {
    const attempt = this.attempts.length - 1
    const { admission, identity } = this.#options
    const leave = await admission.passage('up', identity.user, undefined)
    try {
      const plain = this.#row.take()
      const pieces = sealRow(this.#rowKey, { row: this.rows, attempt, isLast }, plain)
      for (const slice of plain) {
        this.#digest!.update(slice)
        giveBack(slice)
      }
      this.rows++
      await this.writer.write(this.rows - 1, pieces)
    } catch (error) {
      throw lockedIfUnknown(error)
    } finally {
      leave()
    }
  }

  async #checkpoint(how: {
    withTail: boolean
    isClosed: boolean
    /** Of the whole content, where all rows were sent. */
    md5?: Buffer
  }): Promise<void> {
    const { cluster, identity, keepMs } = this.#options
    const { id, first, state, take } = this.#at
    const tail = Buffer.concat(how.withTail ? this.tail : [])
    const md5State = how.md5 ?? this.#digest?.state() ?? state.state
    const number = this.#number + 1
    const { rows } = this
    const lanes = this.writer.sums.map(({ bytes, checksum }): [number, number] => [bytes, checksum])
    const offset = Math.min(
      rows * ROW_BYTES + tail.length,
      this.sizeBytes ?? Number.MAX_SAFE_INTEGER,
    )
    const { attempts, sizeBytes: size } = this
    const reached = { offset, state: md5State, lanes, attempts, take, size }
    const sealed = sealState(identity.entryKey, id, { ...state, ...reached, closed: how.isClosed })
    const pieces = tail.length === 0 ? [] : cutInPieces([sealTail(identity.entryKey, id, tail)])
    const fields = { upload: this.as, number, rows, expires: Date.now() + keepMs, sealed }
    await Promise.all(
      ALL_NODES.map((node) => {
        const body = pieces.length === 0 ? [] : lanesOfNode(node, first).map((at) => pieces[at]!)
        const answer = this.writer.connectionTo(node).request({
          ...{ op: 'keep-point', fields, body, as: { by: 'user', identity } },
          timeoutMs: CHECKPOINT_TIMEOUT_MS,
        })
        return cluster.whileHeard(node, answer)
      }),
    ).catch((error: unknown) => {
      throw lockedIfUnknown(this.writer.failure ?? error)
    })
    this.#number = number
    this.#lastRows = rows
    this.#lastOffset = offset
    this.#lastMs = performance.now()
  }
}

/** Whether all rows are there, the last one too: then only the commit is missing. */
function isComplete({ state, rows }: KeptAt): boolean {
  return state.offset === state.size && rows > 0 && rows * ROW_BYTES >= state.size
}

/** @throws DfsError OFFSET_MISMATCH */
export function requireOffset({ state }: KeptAt, offsetBytes: number): void {
  if (state.offset === offsetBytes) return
  const message = `The upload is at ${state.offset}, and bytes from ${offsetBytes} came.`
  throw new DfsError('OFFSET_MISMATCH', message, { detail: { offset: state.offset } })
}

/** A file that is stored takes no more. @throws DfsError LENGTH_MISMATCH */
export async function requireNoBytes(
  source: AsyncIterable<Uint8Array>,
  limitBytes: number,
): Promise<void> {
  for await (const bytes of source) if (bytes.length > 0) throw tooMany(limitBytes)
}

/** More came than the file was to have. */
export function tooMany(limitBytes: number): DfsError {
  const message = `The file was to have ${limitBytes} bytes, and more arrived.`
  return new DfsError('LENGTH_MISMATCH', message)
}

/** A node that does not know what we took any more was asked by another writer since. */
export function lockedIfUnknown(error: unknown): unknown {
  if (!(error instanceof DfsError) || error.code !== 'UPLOAD_UNKNOWN') return error
  const message = 'Another request goes on with this upload.'
  return new DfsError('UPLOAD_LOCKED', message, { cause: error })
}
