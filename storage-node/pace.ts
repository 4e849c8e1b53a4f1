// Work that repeats in the background, and how fast it may go. Knows nothing of the work.
import { setTimeout as sleep } from 'node:timers/promises'
import { type DfsError, toDfsError } from './protocol/index.ts'

export interface Loop {
  /** Runs it soon, or once more after the present run. */
  wake(): void
  /** Begins no other run and waits for the end of the present one. */
  stop(): Promise<void>
}

/** What fails again and again, with no room on the disk say, is not tried more often. */
const MAX_RETRY_MS = 60_000

/**
 * Runs `step` now and again, each time after as many milliseconds as the run before answered (or
 * `retryMs` where it failed, doubled with each failure in a row), never twice at once.
 */
export function startLoop(options: {
  step: () => Promise<number>
  retryMs: number
  onError: (error: DfsError) => void
}): Loop {
  const { step, retryMs, onError } = options
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let isWoken = false
  let isStopped = false
  let nextRetryMs = retryMs

  async function attempt(): Promise<number> {
    try {
      const delayMs = await step()
      nextRetryMs = retryMs
      return delayMs
    } catch (error) {
      onError(toDfsError(error))
      const delayMs = nextRetryMs
      nextRetryMs = Math.min(nextRetryMs * 2, Math.max(retryMs, MAX_RETRY_MS))
      return delayMs
    }
  }

  async function run(): Promise<void> {
    isWoken = false
    const delayMs = await attempt()
    running = undefined
    if (!isStopped) begin(isWoken ? 0 : delayMs)
  }

  function begin(delayMs: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => {
      running = run()
    }, delayMs)
  }

  begin(0)
  return {
    wake() {
      isWoken = true
      if (running === undefined && !isStopped) begin(0)
    },
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await running
    },
  }
}

/** Answers a function that waits as long as it takes to stay below `bytesPerSecond`. */
export function createPace(
  bytesPerSecond: number,
  signal: AbortSignal,
): (sizeBytes: number) => Promise<void> {
  let freeMs = 0
  return async (sizeBytes) => {
    const nowMs = performance.now()
    freeMs = Math.max(freeMs, nowMs) + (sizeBytes * 1000) / bytesPerSecond
    const waitMs = freeMs - nowMs
    // Timers are coarse: short debts are left to grow.
    if (waitMs > 10) await sleep(waitMs, undefined, { signal })
  }
}
