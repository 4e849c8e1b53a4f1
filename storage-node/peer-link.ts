// One framed connection to a peer node, as its client: requests proved by the cluster key, answers,
// time limits. The peer proves the cluster key too before it is believed. Knows no catalog.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
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
  KEY_BYTES,
  nodeName,
  type Op,
  peerProof,
  type RequestOf,
  type ResponseOf,
} from './protocol/index.ts'

/** For a connection and its greeting, and for an answer or the next piece of one. */
const CONNECT_MS = 5000
const ANSWER_MS = 20_000

export interface PeerAddress {
  /** 1..4 */
  node: number
  host: string
  port: number
  tls?: { ca?: Buffer; servername?: string }
}

export interface PeerAnswer<O extends Op> {
  header: ResponseOf<O>
  bodies: Buffer[]
}

interface Pending {
  onResponse(head: FrameHead): BodySink
  fail(error: DfsError): void
  sinceMs: number
}

export class PeerLink {
  readonly node: number
  readonly #clusterKey: Uint8Array
  readonly #socket: Socket
  readonly #pending = new Map<number, Pending>()
  readonly #greeted = Promise.withResolvers<Greeting>()
  readonly #timer: NodeJS.Timeout
  #greeting: Greeting | undefined
  #counter = 0
  #error: DfsError | undefined

  /**
   * Connects, waits for the greeting and has the peer prove that it knows the cluster key.
   * @throws DfsError NODE_GONE, NODE_TIMEOUT, NODE_FOREIGN, PROTOCOL_VERSION, AUTH_FAILED
   */
  static async open(address: PeerAddress, clusterKey: Uint8Array): Promise<PeerLink> {
    const link = new PeerLink(address, clusterKey)
    const timer = setTimeout(() => link.close(link.#late('greet')), CONNECT_MS)
    try {
      const { node, nonce } = await link.#greeted.promise
      const challenge = randomBytes(KEY_BYTES)
      const { header } = await link.request('peer-prove', { challenge })
      const proof = peerProof(clusterKey, { node, nonce, challenge })
      if (!timingSafeEqual(proof, header.proof)) {
        const message = `${nodeName(node - 1)} does not have the cluster key of this node.`
        throw new DfsError('NODE_FOREIGN', message, { node })
      }
      return link
    } catch (error) {
      link.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  private constructor(address: PeerAddress, clusterKey: Uint8Array) {
    this.node = address.node
    this.#clusterKey = clusterKey
    this.#greeted.promise.catch(() => {})
    const { host, port, tls } = address
    this.#socket =
      tls === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...tls })
    this.#socket.setNoDelay(true)
    const reader = new FrameReader({ onFrame: (head) => this.#onFrame(head) })
    this.#socket.on('data', (bytes) => {
      try {
        if (this.#error === undefined) reader.push(bytes)
      } catch (error) {
        this.close(error instanceof DfsError ? error : this.#gone(error))
      }
    })
    this.#socket.on('error', (cause) => this.close(this.#gone(cause)))
    this.#socket.on('close', () => this.close())
    this.#timer = setInterval(() => this.#check(), ANSWER_MS / 4)
    this.#timer.unref()
  }

  get isOpen(): boolean {
    return this.#error === undefined
  }

  /** Of the peer's folder; its cursors mean nothing under another one. */
  get epoch(): Uint8Array {
    return this.#greeting!.epoch
  }

  /**
   * Sends a request for the account of `user` (empty: nobody's) and waits for its one answer.
   * @throws DfsError of the peer, NODE_GONE, NODE_TIMEOUT, FRAME_DAMAGED
   */
  request<O extends Op>(op: O, fields: RequestOf<O>, user = ''): Promise<PeerAnswer<O>> {
    const { promise, resolve, reject } = Promise.withResolvers<PeerAnswer<O>>()
    const id = this.#send(op, fields, user, {
      sinceMs: performance.now(),
      fail: reject,
      onResponse: (head) => {
        const header = checkResponse(op, head.header)
        return collectBody(head, (bodies, damaged) => {
          this.#pending.delete(id)
          if (damaged.length > 0) reject(this.#damaged())
          else resolve({ header, bodies })
        })
      },
    })
    return promise
  }

  /**
   * Reads pieces of a part; each is handed on when it has come whole and its CRC-32 was right.
   * @throws DfsError as `request`, and whatever `onPiece` throws
   */
  read(
    fields: RequestOf<'read'>,
    user: string,
    onPiece: (row: number, piece: Buffer, crc: number) => void,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let expected = fields.from
    const pending: Pending = {
      sinceMs: performance.now(),
      fail: reject,
      onResponse: (head) => {
        const { row, more } = checkResponse('read', head.header)
        pending.sinceMs = performance.now()
        return collectBody(head, (bodies, damaged) => {
          const isRight = damaged.length === 0 && bodies.length === 1 && row === expected++
          try {
            if (!isRight || more !== expected < fields.to) throw this.#damaged()
            onPiece(row, bodies[0]!, head.sections[0]![1])
          } catch (error) {
            this.#pending.delete(id)
            reject(error as Error)
            return
          }
          if (more) return
          this.#pending.delete(id)
          resolve()
        })
      },
    }
    const id = this.#send('read', fields, user, pending)
    return promise
  }

  close(reason?: DfsError): void {
    if (this.#error !== undefined) return
    const error = reason ?? this.#gone()
    this.#error = error
    clearInterval(this.#timer)
    this.#socket.destroy()
    this.#greeted.reject(error)
    for (const { fail } of this.#pending.values()) fail(error)
    this.#pending.clear()
  }

  #send<O extends Op>(op: O, fields: RequestOf<O>, user: string, pending: Pending): number {
    if (this.#error !== undefined) {
      pending.fail(this.#error)
      return 0
    }
    // One counter for both: it is never given twice on a connection.
    const counter = ++this.#counter
    const header = encodeHeader({ op, ...fields })
    const { node, nonce } = this.#greeting!
    const message = authMessage({ node, nonce, counter, by: 'cluster', user, header })
    const clientProof = clusterProof(this.#clusterKey, message)
    const proof = { by: 'cluster', counter, clientProof, user } as const
    const kind = FrameKind.request
    this.#pending.set(counter, pending)
    this.#socket.write(encodeFrameHead({ kind, id: counter, header, bodyLength: 0, proof }))
    return counter
  }

  #onFrame(head: FrameHead): BodySink {
    if (head.kind === FrameKind.greeting) this.#onGreeting(head)
    else if (head.kind === FrameKind.error) this.#onError(head)
    else return this.#pending.get(head.id)?.onResponse(head) ?? ignoreBody
    return ignoreBody
  }

  #onGreeting(head: FrameHead): void {
    const greeting = checkMessage(Greeting, head.header, 'the greeting')
    if (greeting.node !== this.node) {
      const name = nodeName(greeting.node - 1)
      const message = `The address of ${nodeName(this.node - 1)} is answered by ${name}.`
      throw new DfsError('NODE_FOREIGN', message, { node: this.node })
    }
    this.#greeting ??= greeting
    this.#greeted.resolve(greeting)
  }

  #onError(head: FrameHead): void {
    const { code, message } = checkMessage(ErrorMessage, head.header, 'an error')
    const error = new DfsError(isErrorCode(code) ? code : 'INTERNAL', message, { node: this.node })
    if (head.id === 0) this.close(error)
    this.#pending.get(head.id)?.fail(error)
    this.#pending.delete(head.id)
  }

  /** An answer that stands still means that the peer hangs: all that waits for it ends. */
  #check(): void {
    const nowMs = performance.now()
    for (const { sinceMs } of this.#pending.values()) {
      if (nowMs - sinceMs > ANSWER_MS) this.close(this.#late('answer'))
    }
  }

  #late(what: string): DfsError {
    const message = `${nodeName(this.node - 1)} did not ${what} in time.`
    return new DfsError('NODE_TIMEOUT', message, { node: this.node })
  }

  #gone(cause?: unknown): DfsError {
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    const message = `${nodeName(this.node - 1)} cannot be reached${why}.`
    return new DfsError('NODE_GONE', message, { node: this.node, cause })
  }

  #damaged(): DfsError {
    const message = `${nodeName(this.node - 1)} sent an answer that arrived damaged.`
    return new DfsError('FRAME_DAMAGED', message, { node: this.node })
  }
}
