// Lets a bounded number of holders in at once, with a bounded number of bytes between them, and no
// user more than a share. Who does not get in waits, a bounded time, in a queue of their user's
// own; the users take turns, so that one with a thousand requests does not stand before one with a
// single one.
import { DfsError } from '@fourfold/storage-node/protocol'

export interface FairGateOptions {
  /** How many may be inside at once, and how many of one user. */
  places: number
  placesPerUser: number
  /** Bytes that those inside may set aside together. Default: no limit. */
  bytes?: number
  /** How many may wait. One more, and the longest queue loses its last. */
  waiting: number
  waitTimeoutMs: number
  /** What is scarce, for the sentence: `transfers`. */
  what: string
}

export interface EnterRequest {
  user: string
  /** Set aside while inside; more than there are in all counts as all. Default: none. */
  bytes?: number
  signal?: AbortSignal | undefined
}

interface Waiter {
  user: string
  bytes: number
  admit(): void
  refuse(error: DfsError): void
}

export class FairGate {
  readonly #options: FairGateOptions
  readonly #insideOf = new Map<string, number>()
  /** Of each user who waits; the order of the map is that of their turns. */
  readonly #queues = new Map<string, Waiter[]>()
  #inside = 0
  #waiting = 0
  #freeBytes: number

  constructor(options: FairGateOptions) {
    this.#options = options
    this.#freeBytes = options.bytes ?? Number.POSITIVE_INFINITY
  }

  /** Those inside and those waiting, for an operator's eyes. */
  get state(): { inside: number; waiting: number; freeBytes: number } {
    return { inside: this.#inside, waiting: this.#waiting, freeBytes: this.#freeBytes }
  }

  /**
   * Waits for a place and answers how to leave it (calling that twice does nothing).
   * @throws DfsError BUSY when the queue is full or the wait too long, ABORTED by `signal`
   */
  async enter({ user, bytes = 0, signal }: EnterRequest): Promise<() => void> {
    if (signal?.aborted === true) throw given()
    const leave = this.tryEnter({ user, bytes })
    if (leave !== undefined) return leave
    const held = this.#clip(bytes)
    await this.#wait({ user, bytes: held, signal })
    return this.#leaver(user, held)
  }

  /** As `enter` where there is room now; else undefined. */
  tryEnter({ user, bytes = 0 }: Omit<EnterRequest, 'signal'>): (() => void) | undefined {
    const held = this.#clip(bytes)
    if (!this.#hasRoom(user, held) || this.#isOvertaking()) return undefined
    this.#take(user, held)
    return this.#leaver(user, held)
  }

  #leaver(user: string, held: number): () => void {
    let isInside = true
    return () => {
      if (!isInside) return
      isInside = false
      this.#giveBack(user, held)
      this.#admitWaiting()
    }
  }

  #clip(bytes: number): number {
    return Math.min(bytes, this.#options.bytes ?? bytes)
  }

  #hasRoom(user: string, bytes: number): boolean {
    return this.#inside < this.#options.places && this.#mayHold(user) && bytes <= this.#freeBytes
  }

  #mayHold(user: string): boolean {
    return (this.#insideOf.get(user) ?? 0) < this.#options.placesPerUser
  }

  /** Whether somebody waits who is not just waiting for their own others to end. */
  #isOvertaking(): boolean {
    for (const user of this.#queues.keys()) if (this.#mayHold(user)) return true
    return false
  }

  #take(user: string, bytes: number): void {
    this.#inside++
    this.#freeBytes -= bytes
    this.#insideOf.set(user, (this.#insideOf.get(user) ?? 0) + 1)
  }

  #giveBack(user: string, bytes: number): void {
    this.#inside--
    this.#freeBytes += bytes
    const left = this.#insideOf.get(user)! - 1
    if (left === 0) this.#insideOf.delete(user)
    else this.#insideOf.set(user, left)
  }

  /** One turn for each user who waits, as long as there is room. */
  #admitWaiting(): void {
    for (const [user, queue] of [...this.#queues]) {
      if (this.#inside >= this.#options.places) return
      if (!this.#mayHold(user)) continue
      const [next] = queue as [Waiter, ...Waiter[]]
      // Nobody with less to set aside overtakes, or one with more would wait for ever.
      if (next.bytes > this.#freeBytes) return
      this.#remove(next)
      // Behind all others, if there is more of this user to come.
      if (queue.length > 0) {
        this.#queues.delete(user)
        this.#queues.set(user, queue)
      }
      this.#take(user, next.bytes)
      next.admit()
    }
    const isStuck = ![...this.#queues].some(([user, [next]]) => this.#hasRoom(user, next!.bytes))
    if (!isStuck) this.#admitWaiting()
  }

  async #wait({ user, bytes = 0, signal }: EnterRequest): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { user, bytes, admit: resolve, refuse: reject }
    const giveUp = (error: DfsError) => {
      this.#remove(waiter)
      reject(error)
      // Who stood behind one that needed many bytes may have its turn now.
      this.#admitWaiting()
    }
    this.#add(waiter)
    const timer = setTimeout(() => giveUp(this.#busy(user)), this.#options.waitTimeoutMs)
    const onAbort = () => giveUp(given())
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #add(waiter: Waiter): void {
    const queue = this.#queues.get(waiter.user) ?? []
    queue.push(waiter)
    this.#queues.set(waiter.user, queue)
    this.#waiting++
    if (this.#waiting <= this.#options.waiting) return
    const [longest] = [...this.#queues.values()].sort((a, b) => b.length - a.length)
    const last = (longest!.length > queue.length ? longest! : queue).at(-1)!
    this.#remove(last)
    last.refuse(this.#busy(last.user))
  }

  #remove(waiter: Waiter): void {
    const queue = this.#queues.get(waiter.user)
    const at = queue?.indexOf(waiter) ?? -1
    if (queue === undefined || at < 0) return
    queue.splice(at, 1)
    this.#waiting--
    if (queue.length === 0) this.#queues.delete(waiter.user)
  }

  #busy(user: string): DfsError {
    const { what } = this.#options
    const whose = this.#mayHold(user) ? `Too many ${what}` : `Too many ${what} of yours`
    return new DfsError('BUSY', `${whose} are under way; try again shortly.`)
  }
}

function given(): DfsError {
  return new DfsError('ABORTED', 'The request was given up.')
}
