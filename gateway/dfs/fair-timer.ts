// Limits on how long others may take, which do not count time in which this process itself stood
// still. A gateway that has a thousand clients on two cores comes to its timers seconds late; what
// its nodes have answered meanwhile waits in the sockets, and a node that is asked late can only
// answer late. Without this, all requests under way would fail of a limit that nobody broke.

/** A timer that comes later than this says that the process stood still. */
const LATE_MS = 100
/** The least that is waited anew then, if the limit is not shorter. */
const GRACE_MS = 1000
/** How often, so that a process that is always late has limits too. */
const MAX_EXTENSIONS = 3

/**
 * Calls `run` once, `limitMs` from now, after what has arrived by then was read; later where the
 * process came late to its timer, by as much, at most three times. Answers how to cancel that.
 */
export function afterFairly(limitMs: number, run: () => void): () => void {
  let timer: NodeJS.Timeout
  let immediate: NodeJS.Immediate | undefined
  let extensions = 0
  const wait = (delayMs: number) => {
    const dueMs = performance.now() + delayMs
    timer = setTimeout(() => {
      const lateMs = performance.now() - dueMs
      const isLate = lateMs > LATE_MS && extensions++ < MAX_EXTENSIONS
      if (isLate) wait(Math.min(limitMs, Math.max(lateMs, GRACE_MS)))
      else immediate = setImmediate(run)
    }, delayMs)
  }
  wait(limitMs)
  return () => {
    clearTimeout(timer)
    clearImmediate(immediate)
  }
}
