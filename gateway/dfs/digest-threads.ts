// Threads that digest the rows of large uploads while the main one seals and sends: MD5 is two
// fifths of what an upload costs, and no upload is faster than one core can do all of it. A row's
// memory is moved to the thread, never shared, and given back there. A thread serves one upload at
// a time; who finds none free digests where it is.
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { DfsError } from '@fourfold/storage-node/protocol'

/** More uploads than this at once fill any processor without help; each thread costs memory. */
const MAX_THREADS = 4

export type DigestOrder =
  | { kind: 'row'; slices: readonly Uint8Array[] }
  | { kind: 'finish' }
  | { kind: 'forget' }

export type DigestAnswer = { kind: 'row' } | { kind: 'md5'; md5: Uint8Array }

/** One upload's MD5 on a thread. */
export interface DigestSeat extends Disposable {
  /**
   * Digests a row, given in buffers that follow each other, each alone in its memory. The memory is
   * moved: the caller's buffers have no bytes from now on. Resolves when the row is digested.
   * @throws DfsError INTERNAL where the thread has died
   */
  update(slices: readonly Buffer[]): Promise<void>
  /** The MD5 of all rows. @throws DfsError INTERNAL */
  finish(): Promise<Buffer>
  /** Leaves the thread to others; what is under way comes to nothing. */
  [Symbol.dispose](): void
}

export interface DigestThreads {
  /** A thread of one's own until it is disposed of, or undefined where none is free. */
  open(): DigestSeat | undefined
  close(): Promise<void>
}

/** Threads start when they are first needed. Default: one for each core but the main thread's. */
export function createDigestThreads(options: { count?: number } = {}): DigestThreads {
  const { count = Math.min(MAX_THREADS, availableParallelism() - 1) } = options
  const threads: DigestThread[] = []

  return {
    open() {
      let thread = threads.find(({ isFree }) => isFree)
      if (thread === undefined) {
        if (threads.filter(({ isDead }) => !isDead).length >= count) return undefined
        thread = new DigestThread()
        threads.push(thread)
      }
      return thread.open()
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()))
    },
  }
}

interface Waiting {
  resolve: (answer: DigestAnswer) => void
  reject: (error: DfsError) => void
}

class DigestThread {
  readonly #worker = new Worker(new URL('./digest-worker.ts', import.meta.url))
  /** Answers come in the order of the orders. */
  #waiting: Waiting[] = []
  #failure: DfsError | undefined
  #isTaken = false

  constructor() {
    this.#worker.on('message', (answer: DigestAnswer) => this.#waiting.shift()?.resolve(answer))
    this.#worker.on('error', (cause) => this.#fail(cause))
    this.#worker.on('exit', () => this.#fail())
  }

  get isFree(): boolean {
    return !this.#isTaken && !this.isDead
  }

  get isDead(): boolean {
    return this.#failure !== undefined
  }

  open(): DigestSeat {
    this.#isTaken = true
    // Only while somebody waits for it does the thread keep the process alive.
    this.#worker.ref()
    let isOpen = true
    return {
      update: async (slices) => {
        const memory = slices.map(({ buffer }) => buffer as ArrayBuffer)
        const answer = await this.#ask({ kind: 'row', slices }, memory)
        if (answer.kind !== 'row') throw outOfStep()
      },
      finish: async () => {
        const answer = await this.#ask({ kind: 'finish' })
        if (answer.kind !== 'md5') throw outOfStep()
        return Buffer.from(answer.md5)
      },
      [Symbol.dispose]: () => {
        if (!isOpen) return
        isOpen = false
        this.#isTaken = false
        this.#worker.postMessage({ kind: 'forget' } satisfies DigestOrder)
        this.#worker.unref()
      },
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #ask(order: DigestOrder, moved: ArrayBuffer[] = []): Promise<DigestAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const { promise, resolve, reject } = Promise.withResolvers<DigestAnswer>()
    this.#waiting.push({ resolve, reject })
    this.#worker.postMessage(order, moved)
    return promise
  }

  #fail(cause?: unknown): void {
    const message = 'The thread that digests uploads has ended.'
    this.#failure ??= new DfsError('INTERNAL', message, { cause })
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(this.#failure)
  }
}

function outOfStep(): DfsError {
  return new DfsError('INTERNAL', 'The thread that digests uploads gave another answer.')
}
