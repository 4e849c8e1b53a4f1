// One framed connection to one node, as its client: requests by number, proofs, answers, time
// limits. Knows no user's keys beyond the call that brings them, and nothing of files.
import type { Socket } from 'node:net'
import {
  authMessage,
  type BodySink,
  checkMessage,
  checkResponse,
  clusterProof,
  collectBody,
  DfsError,
  ErrorMessage,
  encodeFrameHead,
  encodeHeader,
  type FrameHead,
  FrameKind,
  FrameReader,
  Greeting,
  ignoreBody,
  isErrorCode,
  nodeName,
  type Op,
  type Proof,
  type RequestOf,
  type ResponseOf,
  userProof,
} from '@fourfold/storage-node/protocol'
import { afterFairly } from './fair-timer.ts'
import { FrameOutbox } from './frame-outbox.ts'
import type { Identity } from './identity.ts'
import { type NodeAddress, openNodeSocket } from './node-socket.ts'
import { type AnswerLimit, PendingAnswers, type Waiter } from './pending-answers.ts'
import type { Piece } from './row.ts'

/** Unsent bytes above which `drained` waits: one row is on its way while the next is sealed. */
const HIGH_WATER_BYTES = 786_432

const DISK_CODES: ReadonlySet<string> = new Set(['NO_SPACE', 'DISK_FAILED'])

/** In whose name a command is sent. */
export type Actor =
  | { by: 'anyone' }
  | { by: 'user'; identity: Identity }
  | { by: 'cluster'; key: Buffer; user?: string }

export interface Call<O extends Op> {
  op: O
  fields: Omit<RequestOf<O>, 'body'>
  as: Actor
  body?: readonly Piece[]
  timeoutMs: number
  signal?: AbortSignal | undefined
}

export interface Answer<O extends Op> {
  header: ResponseOf<O>
  /** The sections of the body. */
  body: Buffer[]
}

/** Takes the frames of a streamed answer. */
export interface StreamReader<O extends Op> {
  /** Answers who takes the body of this frame. */
  onFrame(header: ResponseOf<O>, head: FrameHead): BodySink
}

interface Pending extends Waiter {
  onResponse(head: FrameHead): BodySink
}

export class NodeConnection implements AsyncDisposable {
  readonly index: number
  readonly #socket: Socket
  readonly #outbox: FrameOutbox
  readonly #pending: PendingAnswers<Pending>
  readonly #closed = Promise.withResolvers<DfsError>()
  #greeting: Greeting | undefined
  #greeted = Promise.withResolvers<void>()
  #nextId = 1
  #counter = 0
  #error: DfsError | undefined

  /**
   * Connects and waits for the greeting; `signal` gives that up.
   * @throws DfsError NODE_GONE, NODE_TIMEOUT, NODE_FOREIGN, PROTOCOL_VERSION
   */
  static async open(
    address: NodeAddress,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<NodeConnection> {
    const connection = new NodeConnection(address)
    const cancel = afterFairly(timeoutMs, () => {
      const message = `${nodeName(address.index)} did not greet within ${timeoutMs} ms.`
      connection.close(new DfsError('NODE_TIMEOUT', message, { node: address.index + 1 }))
    })
    const giveUp = () => connection.close()
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await connection.#greeted.promise
    } finally {
      cancel()
      signal?.removeEventListener('abort', giveUp)
    }
    return connection
  }

  private constructor(address: NodeAddress) {
    this.index = address.index
    this.#pending = new PendingAnswers(address.index)
    this.#greeted.promise.catch(() => {})
    const reader = new FrameReader({ onFrame: (head) => this.#onFrame(head) })
    const push = (bytes: Buffer) => {
      try {
        reader.push(bytes)
      } catch (error) {
        this.close(this.#wrap(error))
      }
    }
    this.#socket = openNodeSocket(address, push)
    this.#outbox = new FrameOutbox(this.#socket)
    this.#socket.setNoDelay(true)
    this.#socket.on('error', (cause) => {
      const message = `${nodeName(this.index)} cannot be reached: ${cause.message}.`
      this.close(new DfsError('NODE_GONE', message, { node: this.index + 1, cause }))
    })
    this.#socket.on('close', () => this.close())
  }

  /** Resolves, with the reason, once the connection is closed. */
  get closed(): Promise<DfsError> {
    return this.#closed.promise
  }

  get isOpen(): boolean {
    return this.#error === undefined
  }

  /** Whether no answer is awaited. */
  get isIdle(): boolean {
    return this.#pending.size === 0
  }

  get epoch(): Uint8Array {
    return this.#greeting!.epoch
  }

  /**
   * Sends a request and waits for its one answer.
   * @throws DfsError of the node, NODE_GONE, NODE_TIMEOUT, ABORTED
   */
  async request<O extends Op>(call: Call<O>): Promise<Answer<O>> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer<O>>()
    const waiter: Pending = {
      onResponse: (head) => {
        const header = checkResponse(call.op, head.header)
        // Pending until the body is whole: the connection may end in the middle of it.
        return collectBody(head, (body, damaged) => {
          this.#pending.delete(id)
          if (damaged.length > 0) reject(this.#damaged())
          else resolve({ header, body })
        })
      },
      fail: reject,
    }
    const id = this.#register(waiter, call)
    this.#send(id, call)
    return await this.#abortable(id, call.signal, promise)
  }

  /**
   * Sends a request whose answer is many frames; resolves after the last. The caller watches for
   * stalls: `timeoutMs` bounds the whole stream.
   */
  async stream<O extends 'read'>(call: Call<O>, reader: StreamReader<O>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Pending = {
      onResponse: (head) => {
        const header = checkResponse(call.op, head.header)
        const sink = reader.onFrame(header, head)
        if (header.more) return sink
        return {
          ...sink,
          write: (chunk, section) => sink.write(chunk, section),
          end: (damaged) => {
            sink.end(damaged)
            this.#pending.delete(id)
            resolve()
          },
        }
      },
      fail: reject,
    }
    const id = this.#register(waiter, call)
    this.#send(id, call)
    return await this.#abortable(id, call.signal, promise)
  }

  /**
   * A number for commands that are answered only when they fail; `onError` is called at most once.
   */
  openChannel(onError: (error: DfsError) => void): number {
    return this.#register({ onResponse: () => ignoreBody, fail: onError })
  }

  closeChannel(id: number): void {
    this.#pending.delete(id)
  }

  /** Sends on a channel; `onSent` is called when the socket no longer needs the pieces. */
  sendOnChannel<O extends Op>(id: number, call: Call<O>, onSent: () => void): void {
    this.#send(id, call, onSent)
  }

  /**
   * Waits until the unsent bytes are few.
   * @throws DfsError NODE_TIMEOUT where nothing moves for `stallMs`, NODE_GONE
   */
  async drained(stallMs: number): Promise<void> {
    while (this.isOpen && this.#socket.writableLength > HIGH_WATER_BYTES) {
      const before = this.#socket.bytesWritten - this.#socket.writableLength
      const didDrain = await this.#drainOnce(stallMs)
      const after = this.#socket.bytesWritten - this.#socket.writableLength
      if (!didDrain && after === before) throw this.#stalled(stallMs)
    }
    if (this.#error !== undefined) throw this.#error
  }

  /** Stops taking bytes; what is on its way may still arrive once. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(reason?: DfsError): void {
    if (this.#error !== undefined) return
    this.#error = reason ?? this.#gone()
    this.#socket.destroy()
    this.#greeted.reject(this.#error)
    this.#pending.close(this.#error)
    this.#closed.resolve(this.#error)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  #register(waiter: Pending, limit?: AnswerLimit): number {
    const id = this.#nextId
    this.#nextId = (this.#nextId % 0xffff_ffff) + 1
    if (this.#error !== undefined) queueMicrotask(() => waiter.fail(this.#error!))
    else this.#pending.add(id, waiter, limit)
    return id
  }

  #send<O extends Op>(id: number, call: Call<O>, onSent?: () => void): void {
    if (this.#error !== undefined) {
      onSent?.()
      return
    }
    const pieces = call.body ?? []
    const sections = pieces.map(({ lengthBytes, crc }) => [lengthBytes, crc])
    const body = sections.length > 0 ? { body: sections } : {}
    const header = encodeHeader({ op: call.op, ...call.fields, ...body })
    const bodyLength = pieces.reduce((sum, piece) => sum + piece.lengthBytes, 0)
    const proof = this.#prove(call.as, header)
    const kind = FrameKind.request
    const head = encodeFrameHead({ kind, id, header, bodyLength, ...(proof && { proof }) })
    this.#outbox.send([head, ...pieces.flatMap((piece) => piece.segments)], onSent)
  }

  #prove(actor: Actor, header: Uint8Array): Proof | undefined {
    if (actor.by === 'anyone') return undefined
    const counter = ++this.#counter
    const { by } = actor
    const user = actor.by === 'user' ? actor.identity.user : (actor.user ?? '')
    const { node, nonce } = this.#greeting!
    const message = authMessage({ node, nonce, counter, by, user, header })
    const clientProof =
      actor.by === 'user'
        ? userProof(
            actor.identity.clientKeys[this.index]!,
            actor.identity.storedKeys[this.index]!,
            message,
          )
        : clusterProof(actor.key, message)
    return { by, counter, clientProof, user }
  }

  #onFrame(head: FrameHead): BodySink {
    if (head.kind === FrameKind.greeting) return this.#onGreeting(head)
    if (head.kind === FrameKind.error) return this.#onError(head)
    const pending = this.#pending.get(head.id)
    // The answer to a request that was given up is let through unread.
    return pending === undefined ? ignoreBody : pending.onResponse(head)
  }

  #onGreeting(head: FrameHead): BodySink {
    const greeting = checkMessage(Greeting, head.header, 'the greeting')
    if (greeting.node !== this.index + 1) {
      const message = `The address of ${nodeName(this.index)} is answered by ${nodeName(greeting.node - 1)}.`
      throw new DfsError('NODE_FOREIGN', message, { node: this.index + 1 })
    }
    this.#greeting ??= greeting
    this.#greeted.resolve()
    return ignoreBody
  }

  #onError(head: FrameHead): BodySink {
    const { code, message, detail } = checkMessage(ErrorMessage, head.header, 'an error')
    // A node says `the disk`; to whoever reads this there are four.
    const sentence = DISK_CODES.has(code) ? `${nodeName(this.index)}: ${message}` : message
    const error = new DfsError(isErrorCode(code) ? code : 'INTERNAL', sentence, {
      node: this.index + 1,
      ...(detail && { detail }),
    })
    if (head.id === 0) this.close(error)
    else this.#pending.fail(head.id, error)
    return ignoreBody
  }

  /** `answer`, unless the signal comes first. */
  #abortable<T>(id: number, signal: AbortSignal | undefined, answer: Promise<T>): Promise<T> {
    if (signal === undefined) return answer
    const onAbort = () =>
      this.#pending.fail(id, new DfsError('ABORTED', 'The request was given up.'))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    return answer.finally(() => signal.removeEventListener('abort', onAbort))
  }

  #drainOnce(limitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (didDrain: boolean) => {
        clearTimeout(timer)
        this.#socket.off('drain', onDrain)
        this.#socket.off('close', onDrain)
        resolve(didDrain)
      }
      const onDrain = () => finish(true)
      const timer = setTimeout(() => finish(false), limitMs)
      this.#socket.once('drain', onDrain)
      this.#socket.once('close', onDrain)
    })
  }

  #wrap(error: unknown): DfsError {
    if (error instanceof DfsError) {
      const message = `${nodeName(this.index)} sent something unreadable: ${error.message}`
      return new DfsError(error.code, message, { node: this.index + 1, cause: error })
    }
    return new DfsError('INTERNAL', String(error), { cause: error })
  }

  #gone(): DfsError {
    const message = `The connection to ${nodeName(this.index)} was closed.`
    return new DfsError('NODE_GONE', message, { node: this.index + 1 })
  }

  #damaged(): DfsError {
    const message = `${nodeName(this.index)} sent damaged bytes.`
    return new DfsError('DAMAGED', message, { node: this.index + 1 })
  }

  #stalled(stallMs: number): DfsError {
    const message = `${nodeName(this.index)} took no bytes for ${stallMs} ms.`
    return new DfsError('NODE_TIMEOUT', message, { node: this.index + 1 })
  }
}
