// What goes out on one socket. Small answers of one turn of the event loop leave in one write;
// pieces of streams leave at once, and their sender waits until the socket has taken them. Knows no
// commands.
import type { Socket } from 'node:net'
import { DfsError } from './protocol/index.ts'

/** Unsent bytes beyond which big answers wait and requests are no longer read. */
const ROOM_BYTES = 262_144
/** Answers of one turn that are no more than this together are copied into one buffer. */
const COPIED_BYTES = 65_536

export class Outbox {
  #socket: Socket
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #waiting: (() => void)[] = []
  #unfinishedWrites = 0
  #lastProgressMs = performance.now()
  #onSent: (bytes: number) => void
  #onIdle: () => void = () => {}

  constructor(options: { socket: Socket; onSent: (bytes: number) => void }) {
    this.#socket = options.socket
    this.#onSent = options.onSent
    this.#socket.on('drain', () => this.#giveRoom())
  }

  get isFull(): boolean {
    return this.#queuedBytes + this.#socket.writableLength >= ROOM_BYTES
  }

  get isEmpty(): boolean {
    return this.#queuedBytes === 0 && this.#unfinishedWrites === 0
  }

  /** Milliseconds for which bytes have waited without any of them leaving. */
  stalledMs(nowMs: number): number {
    return this.#unfinishedWrites === 0 ? 0 : nowMs - this.#lastProgressMs
  }

  /** Sends a frame with the others of this turn. */
  post(head: Buffer, body: readonly Uint8Array[] = []): void {
    if (this.#queue.length === 0) setImmediate(() => this.#flush())
    for (const bytes of [head, ...body]) {
      this.#queue.push(bytes)
      this.#queuedBytes += bytes.length
    }
  }

  /**
   * Sends frames at once, in one write; resolves when their pieces may be reused.
   * @throws DfsError NODE_GONE where the socket has closed
   */
  async stream(frames: readonly { head: Buffer; piece: Uint8Array }[]): Promise<void> {
    this.#socket.cork()
    const writes = frames.map(({ head, piece }) => {
      this.#write(head)
      return new Promise<void>((resolve, reject) => {
        this.#write(piece, (error) => {
          if (error == null) resolve()
          else reject(new DfsError('NODE_GONE', 'The connection has closed.', { cause: error }))
        })
      })
    })
    this.#socket.uncork()
    await Promise.all(writes)
  }

  /**
   * Calls `run` when there is room for a big answer: now, or later; never once the socket has
   * closed.
   */
  whenRoom(run: () => void): void {
    if (this.#waiting.length === 0 && !this.isFull) run()
    else this.#waiting.push(run)
  }

  /** Calls `done` once all is sent; at most one may wait. */
  whenEmpty(done: () => void): void {
    if (this.isEmpty) done()
    else this.#onIdle = done
  }

  #flush(): void {
    const [queue, queuedBytes] = [this.#queue, this.#queuedBytes]
    this.#queue = []
    this.#queuedBytes = 0
    if (this.#socket.destroyed) return
    // A write of its own costs a small answer more than being copied.
    if (queuedBytes <= COPIED_BYTES) {
      this.#write(queue.length === 1 ? queue[0]! : Buffer.concat(queue))
    } else {
      this.#socket.cork()
      for (const bytes of queue) this.#write(bytes)
      this.#socket.uncork()
    }
    this.#giveRoom()
  }

  #write(bytes: Uint8Array, done?: (error?: Error | null) => void): void {
    if (this.#unfinishedWrites === 0) this.#lastProgressMs = performance.now()
    this.#unfinishedWrites++
    this.#onSent(bytes.length)
    this.#socket.write(bytes, (error) => {
      this.#unfinishedWrites--
      this.#lastProgressMs = performance.now()
      done?.(error)
      if (this.isEmpty) this.#onIdle()
    })
  }

  #giveRoom(): void {
    while (this.#waiting.length > 0 && !this.isFull && !this.#socket.destroyed) {
      this.#waiting.shift()!()
    }
  }
}
