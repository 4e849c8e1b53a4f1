// How slow a client may be. Silence has a limit, and so has trickling: over a long window a
// transfer must move a little. Time in which the client waits for us does not count. Pure but for
// the clock of its callers.
import { DfsError } from '@fourfold/storage-node/protocol'

/** conf `[limits]`, for clients. */
export interface Patience {
  /** Longest silence, milliseconds. */
  stallTimeoutMs: number
  /** Least bytes in each `progressWindowMs` of waiting for the client. */
  progressBytes: number
  progressWindowMs: number
}

/** Watches over one transfer. */
export class Pace {
  readonly #patience: Patience
  #waitedMs = 0
  #movedBytes = 0

  constructor(patience: Patience) {
    this.#patience = patience
  }

  /** How long the client may be waited for now before it has broken a limit. */
  get limitMs(): number {
    const { stallTimeoutMs, progressBytes, progressWindowMs } = this.#patience
    if (this.#movedBytes >= progressBytes) return stallTimeoutMs
    return Math.min(stallTimeoutMs, progressWindowMs - this.#waitedMs)
  }

  /** How long `lengthBytes` that are on their way out may take at the slowest. */
  timeFor(lengthBytes: number): number {
    const { progressBytes, progressWindowMs } = this.#patience
    return progressWindowMs * Math.max(1, Math.ceil(lengthBytes / progressBytes))
  }

  /**
   * The client was waited for and `movedBytes` moved.
   * @throws DfsError IDLE_TIMEOUT where that is too little for too long
   */
  saw(movedBytes: number, waitedMs: number): void {
    const { progressBytes, progressWindowMs } = this.#patience
    this.#movedBytes += movedBytes
    this.#waitedMs += waitedMs
    if (this.#waitedMs < progressWindowMs) return
    if (this.#movedBytes < progressBytes) {
      const seconds = progressWindowMs / 1000
      const message = `Only ${this.#movedBytes} bytes moved in ${seconds} seconds; ${progressBytes} are the least.`
      throw new DfsError('IDLE_TIMEOUT', message)
    }
    this.#movedBytes = 0
    this.#waitedMs = 0
  }
}
