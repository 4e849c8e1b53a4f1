// Uploads that outlive a request, a gateway and a node's restart, as the faces use them: opened,
// asked for their offset, gone on with, given up. Within this gateway one request at a time writes
// to an upload; between gateways the nodes see to it.
import { randomBytes } from 'node:crypto'
import { DfsError, NODE_COUNT, ROW_BYTES, UPLOAD_ID_BYTES } from '@fourfold/storage-node/protocol'
import { abortable } from './abortable.ts'
import { ALL_NODES } from './cluster.ts'
import type { Identity } from './identity.ts'
import { finishKept, spreadDone } from './kept-finish.ts'
import {
  declaredSize,
  idOf,
  infoOf,
  type KeptInfo,
  type KeptRequest,
  newState,
} from './kept-info.ts'
import { asUnavailable, type KeptAt, listKept, lookKept } from './kept-nodes.ts'
import {
  KeptSession,
  requireNoBytes,
  requireOffset,
  type SessionOptions,
  tooMany,
} from './kept-session.ts'
import { type KeptState, sealState } from './kept-state.ts'
import { giveBack } from './lease.ts'
import { RowDigest } from './row-digest.ts'
import type { UploadRequest, UploadResult } from './store.ts'
import { upload } from './upload.ts'

/** A writer that gave no byte for so long makes room for the next; before that it is let be. */
const QUIET_MS = 3000
/** How often it is looked whether bytes that came are to be made durable. */
const TICK_MS = 1000
/** How long a request waits for the one before it to end. */
const WAIT_MS = 20_000
/** Uploads that only some nodes list, looked at for each listing. */
const MAX_STRAYS = 8

/** What comes in one request. */
export type Body = Pick<UploadRequest, 'source' | 'isSourceOwned' | 'signal'>

export interface AppendRequest extends Body {
  id: string
  offsetBytes: number
  /** The length of the file, where it was not told before. */
  sizeBytes?: number
  /** The bytes count all together or not at all: a source that fails leaves nothing. */
  isAtomic?: boolean
}

export interface KeptUploads {
  /** @throws NODES_UNAVAILABLE, NO_SPACE, NAME_INVALID, PRECONDITION_FAILED, BUSY, TOO_LARGE */
  create(identity: Identity, request: KeptRequest): Promise<KeptInfo>
  /**
   * Stores a file that comes whole, of at most one row, and remembers it as an upload that is done.
   * @throws as `create` and `append`; nothing is left then
   */
  createWhole(
    identity: Identity,
    request: KeptRequest & { sizeBytes: number },
    body: Body,
  ): Promise<KeptInfo>
  /** @throws UPLOAD_UNKNOWN, NODES_UNAVAILABLE, and what the end of an upload may meet */
  find(identity: Identity, id: string): Promise<KeptInfo>
  list(identity: Identity): Promise<KeptInfo[]>
  /**
   * Adds bytes; when the last one is there, the file is stored. However it ends, the bytes that
   * all nodes have stay.
   * @throws OFFSET_MISMATCH, UPLOAD_LOCKED, UPLOAD_UNKNOWN, NODES_UNAVAILABLE, LENGTH_MISMATCH,
   *   DIGEST_MISMATCH, PRECONDITION_FAILED, OUTCOME_UNKNOWN
   */
  append(identity: Identity, request: AppendRequest): Promise<KeptInfo & { result?: UploadResult }>
  /**
   * Whether the content of an upload begins as `source` does, by the MD5 of the rows that are full.
   * @throws UPLOAD_UNKNOWN, NODES_UNAVAILABLE
   */
  begins(identity: Identity, id: string, source: AsyncIterable<Uint8Array>): Promise<boolean>
  /** Gives it up and frees its bytes. @throws UPLOAD_UNKNOWN */
  drop(identity: Identity, id: string): Promise<void>
}

/** A request that writes now. */
interface Writer {
  lastMs: number
  /** It takes no more bytes, and ends soon. */
  isEnding: boolean
  stop(): void
  ended: Promise<void>
}

export interface KeptOptions extends Omit<SessionOptions, 'identity'> {
  /** Told of whom a file may have been stored, also where it is not known what came of it. */
  onStored(identity: Identity): void
}

/** The uploads of all users, over one cluster. */
export function createKeptUploads(options: KeptOptions): KeptUploads {
  const { cluster, keepMs, admission, digestThreads, onStored } = options
  const common = { cluster, keepMs, admission, digestThreads }
  const writers = new Map<string, Writer>()

  async function create(identity: Identity, request: KeptRequest): Promise<KeptInfo> {
    const state = await newState(cluster, identity, request)
    return openOn(identity, state)
  }

  async function createWhole(
    identity: Identity,
    request: KeptRequest & { sizeBytes: number },
    body: Body,
  ): Promise<KeptInfo> {
    const { note: _, ...file } = request
    const { sizeBytes } = request
    const { user } = identity
    const leave = await admission.transfer({ user, sizeBytes, signal: body.signal })
    try {
      const uploader = { ...common, identity }
      const state = await newState(cluster, identity, request)
      const { file: stored, isNew } = await upload(uploader, { ...file, ...body })
      const reached = { offset: sizeBytes, stored: { md5: stored.md5, isNew } }
      return await openOn(identity, { ...state, ...reached })
    } catch (error) {
      throw asUnavailable(error)
    } finally {
      leave()
      onStored(identity)
    }
  }

  async function openOn(identity: Identity, state: KeptState): Promise<KeptInfo> {
    const id = randomBytes(UPLOAD_ID_BYTES)
    const expires = Date.now() + keepMs
    const sealed = sealState(identity.entryKey, id, state)
    const first = randomBytes(1)[0]! % NODE_COUNT
    const as = { by: 'user', identity } as const
    const size = state.size === null ? {} : { size: state.size }
    const done = state.stored !== null
    const fields = { upload: id, first, ...size, expires, sealed, done }
    const outcomes = await cluster.callEach(ALL_NODES, () => ({ op: 'keep-open', fields, as }))
    const failure = outcomes.find(({ error }) => error !== undefined)?.error
    // What is stored is stored, whether all nodes remember this of it or not.
    if (failure !== undefined && !done) {
      cluster.tellLater(ALL_NODES, { op: 'abort-upload', fields: { upload: id }, as })
      throw asUnavailable(failure)
    }
    return infoOf({
      id,
      number: 0,
      rows: 0,
      first,
      take: 0,
      expiresMs: expires,
      state,
      unaware: [],
    })
  }

  async function find(identity: Identity, id: string): Promise<KeptInfo> {
    const writer = writers.get(keyOf(identity, id))
    if (writer?.isEnding === true) await within(writer.ended)
    const at = await lookKept(cluster, identity, idOf(id))
    const isWaiting = at.state.stored === null && at.state.offset === at.state.size
    // All bytes are there and the file is not: to say so would let the client take it for stored.
    if (isWaiting && !writers.has(keyOf(identity, id))) {
      return append(identity, { id, offsetBytes: at.state.offset, source: nothing() })
    }
    if (isWaiting) throw locked()
    if (at.unaware.length > 0) void spreadDone({ cluster, identity }, at)
    return infoOf(at)
  }

  /** Waits for the writer of now, or refuses while that one is at work. */
  async function makeWay(key: string): Promise<void> {
    for (let writer = writers.get(key); writer !== undefined; writer = writers.get(key)) {
      if (!writer.isEnding && performance.now() - writer.lastMs < QUIET_MS) throw locked()
      if (!writer.isEnding) writer.stop()
      await within(writer.ended)
    }
  }

  async function append(
    identity: Identity,
    request: AppendRequest,
  ): Promise<KeptInfo & { result?: UploadResult }> {
    const key = keyOf(identity, request.id)
    const id = idOf(request.id)
    await makeWay(key)
    const stopping = new AbortController()
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const writer: Writer = {
      ...{ lastMs: performance.now(), isEnding: false, ended },
      stop() {
        writer.isEnding = true
        stopping.abort()
      },
    }
    writers.set(key, writer)
    const { signal } = request
    const onAbort = () => writer.stop()
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    let leave: (() => void) | undefined
    try {
      leave = await admission.transfer({ user: identity.user, signal: stopping.signal })
      const at = await lookKept(cluster, identity, id)
      requireOffset(at, request.offsetBytes)
      if (at.state.stored !== null) {
        await requireNoBytes(abortable(request.source, stopping.signal), at.state.offset)
        return infoOf(at)
      }
      return await write(identity, { ...request, signal: stopping.signal }, { at, writer })
    } catch (error) {
      const isOvertaken = stopping.signal.aborted && signal?.aborted !== true
      throw isOvertaken ? locked(error) : asUnavailable(error)
    } finally {
      leave?.()
      signal?.removeEventListener('abort', onAbort)
      writers.delete(key)
      resolve()
    }
  }

  async function write(
    identity: Identity,
    request: AppendRequest,
    { at, writer }: { at: KeptAt; writer: Writer },
  ): Promise<KeptInfo & { result?: UploadResult }> {
    const { id } = at
    const { offsetBytes } = request
    const sizeBytes = declaredSize(at, request.sizeBytes)
    cluster.requireAll()
    const session = await KeptSession.take({ ...common, identity }, { id, offsetBytes })
    session.sizeBytes = sizeBytes
    try {
      const failure = await feed(session, request, writer)
      writer.isEnding = true
      if (failure !== undefined && request.isAtomic === true) throw failure.error
      if (failure === undefined && session.offsetBytes === sizeBytes) {
        return await finish(identity, session)
      }
      await session.close()
      release(identity, session)
      if (failure !== undefined) throw failure.error
      session.writer.close()
      const state = { ...at.state, offset: session.offsetBytes, size: sizeBytes }
      return infoOf({ ...at, state, expiresMs: Date.now() + keepMs })
    } catch (error) {
      await session.writer.abort()
      throw error
    }
  }

  /** The nodes close their files; what is kept stays. Nobody waits for it. */
  function release(identity: Identity, { as }: KeptSession): void {
    const by = { by: 'user', identity } as const
    cluster.tellLater(ALL_NODES, { op: 'abort-upload', fields: { upload: as }, as: by })
  }

  /** Takes the source's bytes; a source that fails is told apart from nodes that do. */
  async function feed(
    session: KeptSession,
    request: AppendRequest,
    writer: Writer,
  ): Promise<{ error: unknown } | undefined> {
    const source = abortable(request.source, request.signal)[Symbol.asyncIterator]()
    const isAtomic = request.isAtomic === true
    const timer = setInterval(() => {
      const isQuiet = performance.now() - writer.lastMs > TICK_MS
      if (!isAtomic) session.checkpointIfDue({ isQuiet })
    }, TICK_MS)
    try {
      for (;;) {
        let step: IteratorResult<Uint8Array>
        try {
          step = await source.next()
        } catch (error) {
          return { error }
        }
        if (step.done === true) return undefined
        writer.lastMs = performance.now()
        const limitBytes = session.sizeBytes ?? Number.MAX_SAFE_INTEGER
        if (session.offsetBytes + step.value.length > limitBytes)
          return { error: tooMany(limitBytes) }
        await session.push(step.value)
        if (request.isSourceOwned === true) giveBack(step.value)
        if (!isAtomic) session.checkpointIfDue()
      }
    } finally {
      clearInterval(timer)
      source.return?.(undefined).catch(() => {})
    }
  }

  async function finish(
    identity: Identity,
    session: KeptSession,
  ): Promise<KeptInfo & { result?: UploadResult }> {
    const context = { ...common, identity }
    try {
      const result = await finishKept(context, session)
      session.writer.close()
      const { file, isNew } = result
      const stored = { md5: file.md5, isNew }
      const size = file.sizeBytes
      const state = { ...session.at.state, offset: size, size, stored }
      return { ...infoOf({ ...session.at, state }), result }
    } catch (error) {
      const code = error instanceof DfsError ? error.code : undefined
      if (code === 'DIGEST_MISMATCH' || code === 'PRECONDITION_FAILED') {
        await tellDropped(identity, session.at.id)
      } else if (session.rows === 0) {
        await session.close().catch(() => {})
      }
      throw error
    } finally {
      onStored(identity)
    }
  }

  async function drop(identity: Identity, id: string): Promise<void> {
    const key = keyOf(identity, id)
    const writer = writers.get(key)
    if (writer !== undefined) {
      if (!writer.isEnding) writer.stop()
      await within(writer.ended)
    }
    // Also while a node is away: it is told when it is back, or forgets the upload in time.
    await lookKept(cluster, identity, idOf(id)).catch((error: unknown) => {
      if (error instanceof DfsError && error.code === 'UPLOAD_UNKNOWN') throw error
    })
    await tellDropped(identity, idOf(id))
  }

  async function begins(
    identity: Identity,
    id: string,
    source: AsyncIterable<Uint8Array>,
  ): Promise<boolean> {
    const { rows, state } = await lookKept(cluster, identity, idOf(id))
    const isWhole = rows * ROW_BYTES >= state.offset
    let leftBytes = Math.min(rows * ROW_BYTES, state.offset)
    const digest = await RowDigest.create()
    for await (const bytes of source) {
      digest.update(bytes.subarray(0, leftBytes))
      leftBytes -= Math.min(leftBytes, bytes.length)
      if (leftBytes === 0) break
    }
    const isAll = isWhole && state.offset === state.size && rows > 0
    return leftBytes === 0 && (isAll ? digest.finish() : digest.state()).equals(state.state)
  }

  async function tellDropped(identity: Identity, id: Buffer): Promise<void> {
    const as = { by: 'user', identity } as const
    await cluster.tellEach({ op: 'abort-upload', fields: { upload: id }, as })
  }

  async function list(identity: Identity): Promise<KeptInfo[]> {
    const { uploads, strays } = await listKept(cluster, identity)
    // One that is stored, as a node has not heard: `find` tells it. Others are what they are.
    for (const id of strays.slice(0, MAX_STRAYS)) find(identity, id).catch(() => {})
    return uploads.map(infoOf)
  }

  return { create, createWhole, find, append, begins, drop, list }
}

function keyOf(identity: Identity, id: string): string {
  return `${id} ${identity.user}`
}

/** @throws DfsError UPLOAD_LOCKED */
async function within(ended: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(locked()), WAIT_MS)
  })
  await Promise.race([ended, tooLong]).finally(() => clearTimeout(timer))
}

function locked(cause?: unknown): DfsError {
  const detail = { retryAfterMs: QUIET_MS }
  return new DfsError('UPLOAD_LOCKED', 'Another request goes on with this upload.', {
    detail,
    cause,
  })
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
