// When to stop waiting for one node and to ask its twin as well: after a delay that follows from
// how long such answers took of late, and only so often that a busy store is not made busier by
// it. Remembers which nodes were slow, so that the next transfers do not begin with them.

/** Recent answers that are remembered. */
const REMEMBERED = 64
/** How often what is usual is worked out anew: after so many answers. */
const LEARN_EVERY = 8
/** Slow is what takes so many times as long as nineteen of twenty answers. */
const TIMES_USUAL = 3
/** Each answer saves up a share of one more question, and at most so many are saved up. */
const SHARE_OF_QUESTION = 0.1
const MOST_SAVED = 16
/** How long a node that was slow comes last. */
const SLOW_MS = 10_000

export type Hedge = ReturnType<typeof createHedge>

/** @param leastMs nothing is slow that takes less, however fast the others were */
export function createHedge({ leastMs }: { leastMs: number }) {
  const recentMs: number[] = []
  const slowUntilMs = new Map<number, number>()
  let seenCount = 0
  let saved = MOST_SAVED
  let usualMs = 0

  function isSlow(node: number): boolean {
    return (slowUntilMs.get(node) ?? 0) > performance.now()
  }

  return {
    leastMs,

    /** An answer came after `tookMs`. */
    saw(tookMs: number): void {
      recentMs[seenCount % REMEMBERED] = tookMs
      seenCount++
      saved = Math.min(MOST_SAVED, saved + SHARE_OF_QUESTION)
      if (seenCount % LEARN_EVERY !== 0) return
      const sorted = recentMs.toSorted((a, b) => a - b)
      usualMs = sorted[Math.floor(sorted.length * 0.95)]!
    },

    /** How long to wait before the twin is asked as well. */
    delayMs: () => Math.max(leastMs, usualMs * TIMES_USUAL),

    /** Whether one more question may be asked now; it is counted as asked. */
    take(): boolean {
      if (saved < 1) return false
      saved--
      return true
    },

    /** The twin of node `node` (0..3) was faster. */
    lost(node: number): void {
      slowUntilMs.set(node, performance.now() + SLOW_MS)
    },

    /** Whether the node lost of late. */
    isSlow,

    /** The nodes that were slow of late come last. */
    inOrder: (nodes: readonly number[]) =>
      nodes.toSorted((one, two) => Number(isSlow(one)) - Number(isSlow(two))),
  }
}
