// How fast a scrub may read: so that a pass takes its whole period, and never faster than its
// limit. A pass that is late, because the node was off, goes at the limit until it is in time.
import { createPace } from './pace.ts'

/** Timers take no longer; shorter debts than the latter are left to grow. */
const MAX_SLEEP_MS = 3_600_000
const MIN_SLEEP_MS = 10

export interface ScrubPaceOptions {
  everyMs: number
  bytesPerSecond: number
  totals: () => { storedBytes: number }
  /** Of the present pass. */
  startedMs: () => number
  isHurried: () => boolean
  signal: AbortSignal
}

/** Answers what waits after each piece of work. */
export function createScrubPace(options: ScrubPaceOptions) {
  const { everyMs, bytesPerSecond, totals, startedMs, isHurried, signal } = options
  const keepLimit = createPace(bytesPerSecond, signal)
  let wakeUp: (() => void) | undefined

  /** How long until so much of the pass is due, in milliseconds. */
  function aheadMs(doneBytes: number): number {
    const share = doneBytes / Math.max(1, totals().storedBytes, doneBytes)
    return startedMs() + everyMs * share - Date.now()
  }

  async function sleep(timeMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, timeMs)
    wakeUp = resolve
    signal.addEventListener('abort', resolve as () => void, { once: true })
    try {
      await promise
    } finally {
      clearTimeout(timer)
      wakeUp = undefined
      signal.removeEventListener('abort', resolve as () => void)
    }
  }

  return {
    /** After `sizeBytes` were read, which makes `doneBytes` of the pass. */
    async after(sizeBytes: number, doneBytes: number): Promise<void> {
      await keepLimit(sizeBytes)
      const began = startedMs()
      while (!signal.aborted && !isHurried() && startedMs() === began) {
        const waitMs = aheadMs(doneBytes)
        if (waitMs < MIN_SLEEP_MS) return
        await sleep(Math.min(waitMs, MAX_SLEEP_MS))
      }
    },

    /** Until the present pass ends, an estimate. */
    leftMs(doneBytes: number): number {
      const leftBytes = Math.max(0, totals().storedBytes - doneBytes)
      const limitMs = (leftBytes * 1000) / bytesPerSecond
      const dueMs = isHurried() ? 0 : startedMs() + everyMs - Date.now()
      return Math.round(Math.max(limitMs, dueMs, 0))
    },

    /** Ends the present wait. */
    wake: () => wakeUp?.(),
  }
}
