// Makes guessing slow: answers to failed proofs wait, longer with each failure of one user from one
// address. Holds a bounded table and forgets; knows no keys and no sockets.
import { LRUCache } from 'lru-cache'

const FIRST_DELAY_MS = 100
const LAST_DELAY_MS = 5000
/** After this long without a failure the guesser starts afresh. */
const FORGET_MS = 5 * 60_000
/** Pairs of user and address that are remembered; the ones longest unused go first. */
const MAX_PAIRS = 10_000
/**
 * Delayed answers of one pair; more would let a guesser make up in number what each one loses in
 * time.
 */
const MAX_PENDING = 8

export interface Throttle {
  /** Whether the next proof of this pair is to be refused without trying it. */
  isClosed(pair: string): boolean
  /** Counts a failure and calls `answer` after the delay; answers how to give up waiting. */
  delay(pair: string, answer: () => void): () => void
}

interface Record {
  failures: number
  pending: number
}

/** The key of a user at an address. User names hold no space, so that pairs cannot collide. */
export function pairOf(user: string, address: string): string {
  return `${user} ${address}`
}

/** Milliseconds that the answer to failure number `failures` (from 1) waits. */
export function delayMs(failures: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 16), LAST_DELAY_MS)
}

export function createThrottle(): Throttle {
  const records = new LRUCache<string, Record>({ max: MAX_PAIRS, ttl: FORGET_MS })

  return {
    isClosed: (pair) => (records.get(pair)?.pending ?? 0) >= MAX_PENDING,
    delay(pair, answer) {
      const record = records.get(pair) ?? { failures: 0, pending: 0 }
      record.failures++
      record.pending++
      records.set(pair, record)
      const timer = setTimeout(() => {
        record.pending--
        answer()
      }, delayMs(record.failures))
      // The place stays taken until the delay is over: closing the connection must not buy another
      // try.
      return () => {
        clearTimeout(timer)
        setTimeout(() => record.pending--, delayMs(record.failures)).unref()
      }
    },
  }
}
