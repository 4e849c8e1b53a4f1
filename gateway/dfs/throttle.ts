// Makes wrong passwords cost time: one try at a time for each user and address, each later than the
// last.
import { DfsError } from '@fourfold/storage-node/protocol'
import { LRUCache } from 'lru-cache'
import { Gate } from './gate.ts'

const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 8000
/** Failures are forgotten after this long without another. */
const FORGET_MS = 10 * 60_000
const MAX_TRACKED = 10_000
const MAX_WAITING = 8

interface Track {
  failureCount: number
  /** performance.now() before which no further try starts. */
  notBeforeMs: number
  gate: Gate
}

/** How a try ended; `open`: it said nothing of the password. */
export type TryOutcome = 'right' | 'wrong' | 'open'

/** Whose turn it is to try a password. */
export interface Turns {
  /**
   * Waits until the one turn of `key` is free and the delay that failures earned is over; answers
   * how to end the turn.
   * @throws DfsError AUTH_THROTTLED when too many wait already
   */
  begin(key: string): Promise<(outcome: TryOutcome) => void>
}

/** Turns with a bounded memory of who failed. */
export function createTurns(): Turns {
  const tracks = new LRUCache<string, Track>({ max: MAX_TRACKED, ttl: FORGET_MS })

  return {
    async begin(key) {
      const track = tracks.get(key) ?? newTrack()
      tracks.set(key, track)
      const leave = await track.gate.enter().catch((cause: unknown) => {
        const message = 'Too many tries to sign in are waiting already.'
        throw new DfsError('AUTH_THROTTLED', message, { cause })
      })
      await delayUntil(track.notBeforeMs)
      return (outcome) => {
        if (outcome === 'right') tracks.delete(key)
        if (outcome === 'wrong') punish(track)
        leave()
      }
    },
  }
}

/**
 * Runs `attempt` in a turn of its own. What it throws as AUTH_FAILED counts as a failure; a
 * success clears the count.
 * @throws DfsError AUTH_THROTTLED when too many wait already
 */
export async function inTurn<T>(turns: Turns, key: string, attempt: () => Promise<T>): Promise<T> {
  const end = await turns.begin(key)
  let outcome: TryOutcome = 'open'
  try {
    const result = await attempt()
    outcome = 'right'
    return result
  } catch (error) {
    if (error instanceof DfsError && error.code === 'AUTH_FAILED') outcome = 'wrong'
    throw error
  } finally {
    end(outcome)
  }
}

function newTrack(): Track {
  const gate = new Gate({
    places: 1,
    waiting: MAX_WAITING,
    waitTimeoutMs: MAX_DELAY_MS * 2,
    what: 'tries to sign in',
  })
  return { failureCount: 0, notBeforeMs: 0, gate }
}

function punish(track: Track): void {
  track.failureCount++
  const delayMs = Math.min(FIRST_DELAY_MS * 2 ** (track.failureCount - 1), MAX_DELAY_MS)
  track.notBeforeMs = performance.now() + delayMs
}

async function delayUntil(timeMs: number): Promise<void> {
  const waitMs = timeMs - performance.now()
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
}
