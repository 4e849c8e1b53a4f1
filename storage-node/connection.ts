// One accepted socket: greets, cuts frames, has proofs checked, runs commands and sends their
// answers, with a limit on every wait and on everything that is kept. Knows no command but
// `append`, whose body it hands to the row writer as it comes.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { AcceptedSocket } from './accepted-socket.ts'
import type { Call, Commands, Reply, Traffic } from './commands/table.ts'
import type { Log } from './log.ts'
import { Outbox } from './outbox.ts'
import { newSession, type ProofCheck, type Session } from './proof-check.ts'
import {
  type BodySink,
  checkRequest,
  collectBody,
  commands as commandTable,
  DfsError,
  type ErrorMessage,
  encodeFrameHead,
  encodeHeader,
  type FrameHead,
  FrameKind,
  FrameReader,
  type Greeting,
  ignoreBody,
  KEY_BYTES,
  MAX_HEADER_BYTES,
  type Op,
  type Proof,
  type Request,
  type Section,
  toDfsError,
} from './protocol/index.ts'
import { pairOf, type Throttle } from './throttle.ts'

/** Requests under way on one connection; beyond them no more are read until some are answered. */
const MAX_IN_FLIGHT = 256
/**
 * Answers to failed proofs that wait on one connection. They do not count as under way: guessers
 * behind a gateway must not stop the requests of all others that share its connection.
 */
const MAX_DELAYED = 1024
/** How long a connection that proved nothing may be silent. */
const UNPROVED_IDLE_MS = 30_000
/** How long a connection that is being closed for an error may still take that error in. */
const LINGER_MS = 2000
/** Commands whose answers may be as long as a body: they run only when there is room to send. */
const listings: Op[] = ['account-list', 'peer-accounts', 'peer-changes']
const bigAnswers: ReadonlySet<Op> = new Set<Op>([...listings, 'lookup', 'changes', 'peer-part'])

export interface ConnectionLimits {
  headTimeoutMs: number
  idleTimeoutMs: number
  stallTimeoutMs: number
}

export interface ConnectionOptions {
  accepted: AcceptedSocket
  node: number
  epoch: Uint8Array
  commands: Commands
  proofCheck: ProofCheck
  throttle: Throttle
  limits: ConnectionLimits
  traffic: Traffic
  log: Log
}

export class Connection {
  #options: ConnectionOptions
  #socket: Socket
  #outbox: Outbox
  #reader: FrameReader
  #session: Session
  #inFlight = 0
  #delayedCount = 0
  #holds = 0
  #releaseFlight: (() => void) | undefined
  #isWaitingForRoom = false
  #isInBody = false
  /** When the frame head that is incomplete now began; 0 where none is. */
  #headSinceMs = 0
  #lastEventMs = performance.now()
  /** open: takes requests; stopping: answers those it has; lost: drops what still comes. */
  #state: 'open' | 'stopping' | 'lost' = 'open'
  #timers = new Set<() => void>()

  constructor(options: ConnectionOptions) {
    const { accepted, traffic } = options
    const { socket } = accepted
    this.#options = options
    this.#socket = socket
    this.#outbox = new Outbox({ socket, onSent: (bytes) => (traffic.sentBytes += bytes) })
    this.#reader = new FrameReader({ onFrame: (head) => this.#onFrame(head) })
    this.#session = newSession(randomBytes(KEY_BYTES), socket.remoteAddress ?? '')
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    accepted.deliverTo((bytes) => this.#onData(bytes))
    socket.on('end', () => this.#onEnd())
    socket.on('error', (error) => options.log.debug('A socket failed.', { reason: error.message }))
    socket.on('close', () => this.#onClose())
  }

  /**
   * The first frame: who is here, and the nonce that all proofs on this connection are bound to.
   */
  greet(): void {
    const { node, epoch } = this.#options
    const greeting: Greeting = { node, nonce: this.#session.nonce, epoch }
    this.#post(FrameKind.greeting, 0, greeting)
  }

  /** Ends what has waited too long. Called every second or more often. */
  check(nowMs: number): void {
    const { headTimeoutMs, idleTimeoutMs, stallTimeoutMs } = this.#options.limits
    if (this.#outbox.stalledMs(nowMs) > stallTimeoutMs) {
      this.#socket.destroy()
      return
    }
    if (this.#state !== 'open' || this.#holds > 0) return
    const silentMs = nowMs - this.#lastEventMs
    const idleMs = this.#session.isProved
      ? idleTimeoutMs
      : Math.min(UNPROVED_IDLE_MS, idleTimeoutMs)
    if (this.#headSinceMs > 0 && nowMs - this.#headSinceMs > headTimeoutMs) {
      this.#lose(new DfsError('IDLE_TIMEOUT', 'The head of a frame did not arrive in time.'))
    } else if (this.#isInBody && silentMs > stallTimeoutMs) {
      this.#lose(new DfsError('IDLE_TIMEOUT', 'The body of a frame stopped arriving.'))
    } else if (this.#isDone && this.#outbox.isEmpty && silentMs > idleMs) {
      this.#lose(new DfsError('IDLE_TIMEOUT', 'The connection was silent for too long.'))
    }
  }

  /** Says why no request will be taken, and closes. */
  refuse(error: DfsError): void {
    this.#lose(error)
  }

  /** Answers what is under way and closes; after `limitMs` closes all the same. */
  async close(limitMs: number): Promise<void> {
    if (this.#socket.destroyed) return
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()))
    this.#after(limitMs, () => this.#socket.destroy())
    if (this.#state === 'open') this.#state = 'stopping'
    this.#endWhenDone()
    await closed
  }

  #onData(bytes: Buffer): void {
    this.#options.traffic.receivedBytes += bytes.length
    if (this.#state !== 'lost') this.#take(bytes)
  }

  #take(bytes: Buffer): void {
    this.#lastEventMs = performance.now()
    try {
      this.#reader.push(bytes)
    } catch (error) {
      this.#lose(this.#logged(error))
      return
    }
    const isInHead = !this.#reader.isBetweenFrames && !this.#isInBody
    if (!isInHead) this.#headSinceMs = 0
    else if (this.#headSinceMs === 0) this.#headSinceMs = this.#lastEventMs
    this.#regulate()
  }

  #onFrame(head: FrameHead): BodySink {
    this.#headSinceMs = 0
    const sink = this.#receive(head)
    if (head.bodyLength === 0) return sink
    this.#isInBody = true
    return {
      write: sink.write,
      end: (damaged) => {
        this.#isInBody = false
        sink.end(damaged)
      },
    }
  }

  /** Decides by the head alone whether the request may run, and who takes its body. */
  #receive(head: FrameHead): BodySink {
    const { id, sections } = head
    try {
      if (head.kind !== FrameKind.request) {
        throw new DfsError('BAD_MESSAGE', 'A node takes requests only.')
      }
      if (this.#state !== 'open') throw new DfsError('NODE_GONE', 'The node is stopping.')
      const request = checkRequest(head.header)
      const { audience } = commandTable[request.op]
      const sender = this.#options.proofCheck(audience, head, this.#session)
      if (request.op === 'append') {
        return this.#options.commands.append(this.#call(id, sender), request, sections)
      }
      if (sections.length === 0) {
        this.#run(request, this.#call(id, sender))
        return ignoreBody
      }
      return collectBody(head, (bodies, damaged) => {
        const call = { ...this.#call(id, sender), bodies, sections }
        if (damaged.length === 0) this.#run(request, call)
        else this.#refuse(id, new DfsError('FRAME_DAMAGED', 'The body arrived damaged.'))
      })
    } catch (error) {
      this.#refuse(id, this.#logged(error), head)
      return ignoreBody
    }
  }

  #call(id: number, sender: Call['sender']): Call {
    return {
      sender,
      nonce: this.#session.nonce,
      bodies: [],
      sections: [],
      isOpen: () => !this.#socket.destroyed,
      hold: () => this.#hold(),
      fail: (error) => this.#refuse(id, this.#logged(error)),
      send: (pieces) => {
        this.#lastEventMs = performance.now()
        const frames = pieces.map(({ row, more, piece, crc }) => {
          const body: Section[] = [[piece.length, crc]]
          const header = encodeHeader({ row, more, body })
          const kind = FrameKind.response
          return { head: encodeFrameHead({ kind, id, header, bodyLength: piece.length }), piece }
        })
        return this.#outbox.stream(frames)
      },
      answer: (reply) => this.#answer(id, reply),
    }
  }

  #run(request: Exclude<Request, { op: 'append' }>, call: Call): void {
    this.#inFlight++
    const settle = () => this.#settle()
    const start = () => {
      try {
        const result = this.#options.commands.run(call, request)
        if (!(result instanceof Promise)) {
          if (result !== undefined) call.answer(result)
          settle()
          return
        }
        result
          .then((reply) => reply !== undefined && call.answer(reply))
          .catch((error: unknown) => call.fail(error))
          .finally(settle)
      } catch (error) {
        call.fail(error)
        settle()
      }
    }
    if (bigAnswers.has(request.op)) this.#outbox.whenRoom(start)
    else start()
  }

  #settle(): void {
    this.#inFlight--
    this.#lastEventMs = performance.now()
    if (this.#inFlight <= MAX_IN_FLIGHT / 2) {
      this.#releaseFlight?.()
      this.#releaseFlight = undefined
    }
    if (this.#state === 'stopping') this.#endWhenDone()
  }

  #answer(id: number, reply: Reply): void {
    const body = reply.body ?? []
    const sections: Section[] = body.map(({ bytes, crc }) => [bytes.length, crc])
    const header = body.length === 0 ? reply.header : { ...reply.header, body: sections }
    const bytes = body.map((section) => section.bytes)
    this.#post(FrameKind.response, id, header, bytes)
  }

  /** Sends an error frame; the answer to a failed proof waits (see throttle.ts). */
  #refuse(id: number, error: DfsError, head?: FrameHead): void {
    const { code, message, detail } = error
    const fields: ErrorMessage = { code, message: message.slice(0, 4096) }
    if (Object.keys(detail).length > 0) fields.detail = detail
    const send = () => this.#post(FrameKind.error, id, fields)
    if (code !== 'AUTH_FAILED' || head?.proof === undefined) {
      send()
    } else if (this.#delayedCount >= MAX_DELAYED) {
      const tooMany = 'Too many failed proofs are waiting on this connection.'
      this.#refuse(id, new DfsError('AUTH_THROTTLED', tooMany))
    } else {
      this.#delay(head.proof, send)
    }
  }

  #delay({ by, user }: Proof, send: () => void): void {
    this.#delayedCount++
    const pair = pairOf(`${by} ${user}`, this.#session.address)
    const cancel = this.#options.throttle.delay(pair, () => {
      this.#timers.delete(cancel)
      this.#delayedCount--
      send()
      if (this.#state === 'stopping') this.#endWhenDone()
    })
    this.#timers.add(cancel)
  }

  #post(kind: FrameKind, id: number, fields: object, body: readonly Uint8Array[] = []): void {
    const header = encodeHeader(fields)
    if (header.length > MAX_HEADER_BYTES) {
      const message = 'The answer is longer than a frame can carry.'
      this.#refuse(id, new DfsError('TOO_LARGE', message))
      return
    }
    const bodyLength = body.reduce((sum, bytes) => sum + bytes.length, 0)
    this.#outbox.post(encodeFrameHead({ kind, id, header, bodyLength }), body)
  }

  /** Reads no more while too many requests are under way or answers are not taken. */
  #regulate(): void {
    if (this.#inFlight >= MAX_IN_FLIGHT) this.#releaseFlight ??= this.#hold()
    if (!this.#outbox.isFull || this.#isWaitingForRoom) return
    this.#isWaitingForRoom = true
    const release = this.#hold()
    this.#outbox.whenRoom(() => {
      this.#isWaitingForRoom = false
      release()
    })
  }

  #hold(): () => void {
    this.#holds++
    this.#socket.pause()
    return () => {
      this.#holds--
      if (this.#holds > 0) return
      this.#lastEventMs = performance.now()
      this.#socket.resume()
    }
  }

  /** Framing is lost or the client too slow: says so, lets it read that, and closes. */
  #lose(error: DfsError): void {
    if (this.#state === 'lost') return
    this.#state = 'lost'
    this.#options.log.debug('A connection is closed.', { code: error.code })
    this.#refuse(0, error)
    this.#outbox.whenEmpty(() => this.#socket.end())
    this.#after(LINGER_MS, () => this.#socket.destroy())
    // What still comes is read and dropped: unread bytes would turn the close into a reset.
    this.#socket.resume()
  }

  #onEnd(): void {
    if (this.#state === 'lost') return
    if (!this.#reader.isBetweenFrames) {
      this.#lose(new DfsError('BAD_FRAME', 'The connection ended in the middle of a frame.'))
      return
    }
    this.#state = 'stopping'
    this.#endWhenDone()
  }

  /** Whether every request that came is answered, but for what the outbox holds. */
  get #isDone(): boolean {
    return this.#inFlight + this.#delayedCount === 0
  }

  #endWhenDone(): void {
    if (!this.#isDone) return
    this.#outbox.whenEmpty(() => {
      if (this.#isDone) this.#socket.end()
    })
  }

  #onClose(): void {
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }

  #after(delayMs: number, run: () => void): void {
    const timer = setTimeout(run, delayMs)
    this.#timers.add(() => clearTimeout(timer))
  }

  /** Faults of ours are logged with their cause; their senders learn only that there was one. */
  #logged(error: unknown): DfsError {
    if (error instanceof DfsError && error.code !== 'INTERNAL') return error
    const cause = error instanceof DfsError ? error.cause : error
    this.#options.log.error('A fault.', {
      reason: cause instanceof Error ? cause.stack : String(cause),
    })
    return new DfsError('INTERNAL', 'The node met a fault of its own.', {
      cause: toDfsError(error),
    })
  }
}
