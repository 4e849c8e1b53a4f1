// A small client of the wire for tests: one connection to one node, frames as they are. Proves as a
// user or with the cluster key, and can also send what no honest client would.
import { connect, type Socket } from 'node:net'
import {
  type AccountRecord,
  authMessage,
  checkMessage,
  checkResponse,
  clusterProof,
  collectBody,
  DfsError,
  ErrorMessage,
  encodeFrameHead,
  encodeHeader,
  FrameKind,
  FrameReader,
  Greeting,
  isErrorCode,
  type Op,
  type Proof,
  type RequestOf,
  type ResponseOf,
  sectionsOf,
  storedKey,
  userProof,
} from '@fourfold/storage-node/protocol'

/** No answer takes longer in a test that works. */
const TIMEOUT_MS = 20_000

/** Who proves a request: a user with the ClientKey of that node, or the cluster key for a user. */
export type Prover =
  | { by: 'user'; user: string; key: Uint8Array }
  | { by: 'cluster'; user: string; key: Uint8Array }

export interface Answer<O extends Op> {
  header: ResponseOf<O>
  bodies: Buffer[]
  /** Sections whose checksum did not match. */
  damaged: readonly number[]
}

export interface SendOptions {
  as?: Prover
  /** Sections of the body. */
  body?: readonly Uint8Array[]
  counter?: number
  /** In place of the right checksums. */
  crcs?: readonly number[]
}

interface Pending {
  op: Op
  take(answer: Answer<Op>): void
  fail(error: DfsError): void
}

export class WireClient implements AsyncDisposable {
  readonly greeting: Greeting
  /** The error frame with id 0, if one came, once the connection has closed. */
  readonly closed: Promise<DfsError | undefined>
  readonly socket: Socket
  #counter = 0
  #id = 0
  #pending: Map<number, Pending>

  private constructor(
    socket: Socket,
    state: {
      greeting: Greeting
      closed: Promise<DfsError | undefined>
      pending: Map<number, Pending>
    },
  ) {
    this.socket = socket
    this.greeting = state.greeting
    this.closed = state.closed
    this.#pending = state.pending
  }

  /** Connects and reads the greeting; fails with the error frame that came instead. */
  static connect(port: number, host = '127.0.0.1'): Promise<WireClient> {
    return WireClient.over(connect({ port, host, allowHalfOpen: false }))
  }

  /** The same over a socket that is connecting, TLS for example. */
  static over(socket: Socket): Promise<WireClient> {
    const pending = new Map<number, Pending>()
    let last: DfsError | undefined
    const closed = new Promise<DfsError | undefined>((resolve) => {
      socket.on('error', () => {})
      socket.on('close', () => {
        const gone = last ?? new DfsError('NODE_GONE', 'The node closed the connection.')
        for (const { fail } of [...pending.values()]) fail(gone)
        resolve(last)
      })
    })
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => socket.destroy(), TIMEOUT_MS)
      const reader = new FrameReader({
        onFrame: (head) =>
          collectBody(head, (bodies, damaged) => {
            const { kind, id, header } = head
            if (kind === FrameKind.greeting) {
              clearTimeout(timer)
              const greeting = checkMessage(Greeting, header, 'the greeting')
              resolve(new WireClient(socket, { greeting, closed, pending }))
            } else if (kind === FrameKind.error) {
              const { code, message, detail = {} } = checkMessage(ErrorMessage, header, 'error')
              const known = isErrorCode(code) ? code : 'INTERNAL'
              const error = new DfsError(known, message, { detail })
              if (id === 0) last = error
              pending.get(id)?.fail(error)
            } else {
              const waiting = pending.get(id)
              if (waiting === undefined) return
              const checked = checkResponse(waiting.op, header)
              waiting.take({ header: checked, bodies, damaged })
            }
          }),
      })
      socket.on('data', (bytes) => reader.push(bytes))
      void closed.then((error) => {
        clearTimeout(timer)
        reject(error ?? new DfsError('NODE_GONE', 'The node closed the connection.'))
      })
    })
  }

  /** Sends a request and waits for its first answer. Rejects with the error frame. */
  async request<O extends Op>(
    op: O,
    fields: RequestOf<O>,
    options: SendOptions = {},
  ): Promise<Answer<O>> {
    for await (const answer of this.answers(op, fields, options)) return answer
    throw new Error('no answer')
  }

  /** Sends a request and gives its answers until one says that no more come. */
  async *answers<O extends Op>(
    op: O,
    fields: RequestOf<O>,
    options: SendOptions = {},
  ): AsyncGenerator<Answer<O>> {
    const id = this.nextId()
    const queue = this.expect(op, id)
    this.socket.write(this.frame(op, fields, { ...options, id }))
    try {
      for (;;) {
        const answer = await queue.next()
        yield answer
        if (!('row' in answer.header) || answer.header.more !== true) return
      }
    } finally {
      this.#pending.delete(id)
    }
  }

  nextId(): number {
    return ++this.#id
  }

  /** The bytes of a request, with a fresh counter. */
  frame<O extends Op>(
    op: O,
    fields: RequestOf<O>,
    options: SendOptions & { id?: number } = {},
  ): Buffer {
    const { body = [], crcs } = options
    const sections = sectionsOf(body).map(([length, crc], at) => [length, crcs?.[at] ?? crc])
    return this.rawFrame({ op, ...fields, ...(body.length > 0 && { body: sections }) }, options)
  }

  /** A frame with any header, whole and proved. */
  rawFrame(fields: object, options: SendOptions & { id?: number } = {}): Buffer {
    const { as, body = [], id = this.nextId() } = options
    const header = encodeHeader(fields)
    const bodyLength = body.reduce((sum, bytes) => sum + bytes.length, 0)
    const proof = as === undefined ? undefined : this.#prove(as, header, options.counter)
    const head = encodeFrameHead({
      kind: FrameKind.request,
      id,
      header,
      bodyLength,
      ...(proof !== undefined && { proof }),
    })
    return Buffer.concat([head, ...body])
  }

  /** Waits for answers to the request `id`, whoever sends it. */
  expect<O extends Op>(op: O, id: number): { next(): Promise<Answer<O>> } {
    const answers: Answer<O>[] = []
    let failure: DfsError | undefined
    let wake = () => {}
    const settle = () => wake()
    this.#pending.set(id, {
      op,
      take(answer) {
        answers.push(answer as Answer<O>)
        settle()
      },
      fail(error) {
        failure = error
        settle()
      },
    })
    return {
      async next() {
        if (answers.length === 0 && failure === undefined) {
          await new Promise<void>((resolve, reject) => {
            const late = new Error(`no answer to ${op}`)
            const timer = setTimeout(() => reject(late), TIMEOUT_MS)
            wake = () => {
              clearTimeout(timer)
              resolve()
            }
          })
        }
        const answer = answers.shift()
        if (answer !== undefined) return answer
        throw failure
      },
    }
  }

  #prove(as: Prover, header: Uint8Array, counter = ++this.#counter): Proof {
    const { node, nonce } = this.greeting
    const { by, user, key } = as
    const message = authMessage({ node, nonce, counter, by, user, header })
    const clientProof =
      by === 'user' ? userProof(key, storedKey(key), message) : clusterProof(key, message)
    return { by, counter, clientProof, user }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
    await this.closed
  }
}

/** An account whose ClientKey is `key` on every node: enough where no key need be a secret. */
export function accountOf(user: string, key: Uint8Array, change = 1): AccountRecord {
  return {
    user,
    change,
    salt: Buffer.alloc(16, 1),
    rounds: 4096,
    storedKeys: Array.from({ length: 4 }, () => storedKey(key)),
    wrappedKey: Buffer.alloc(60, 2),
  }
}
