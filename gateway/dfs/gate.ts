// Lets a fixed number of holders in at once; the others wait in order, a bounded number for a
// bounded time.
import { DfsError } from '@fourfold/storage-node/protocol'

export interface GateOptions {
  /** How many may be inside at once. */
  places: number
  /** How many may wait; the next one is refused at once. */
  waiting: number
  waitTimeoutMs: number
  /** What is scarce, for the sentence: `transfers`. */
  what: string
}

export class Gate {
  #options: GateOptions
  #inside = 0
  #queue: (() => void)[] = []

  constructor(options: GateOptions) {
    this.#options = options
  }

  /**
   * Waits for a place and answers how to leave it (calling that twice does nothing).
   * @throws DfsError BUSY when the queue is full or the wait too long, ABORTED by `signal`
   */
  async enter(signal?: AbortSignal): Promise<() => void> {
    if (this.#inside >= this.#options.places) await this.#wait(signal)
    else this.#inside++
    let isInside = true
    return () => {
      if (!isInside) return
      isInside = false
      const next = this.#queue.shift()
      if (next === undefined) this.#inside--
      else next()
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const { waiting, waitTimeoutMs, what } = this.#options
    const busy = () => new DfsError('BUSY', `Too many ${what} are under way; try again shortly.`)
    if (this.#queue.length >= waiting) return Promise.reject(busy())
    return new Promise((resolve, reject) => {
      const giveUp = (error: DfsError) => {
        this.#queue = this.#queue.filter((waiter) => waiter !== admit)
        clear()
        reject(error)
      }
      const onAbort = () => giveUp(new DfsError('ABORTED', 'The request was given up.'))
      const timer = setTimeout(() => giveUp(busy()), waitTimeoutMs)
      const clear = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const admit = () => {
        clear()
        resolve()
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#queue.push(admit)
    })
  }
}
