// Tells watchers when a user's files change: by looking every now and then while somebody watches,
// and at once after what this process itself did. One look at a time for each user.
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Identity } from './identity.ts'

export interface Watcher {
  /** Takes the mark of the present state, at first and whenever it is another. */
  listener: (change: string) => void
  /** The identity no longer holds: nothing more will come. */
  onEnd: () => void
}

interface Watched {
  watchers: Set<Watcher>
  lastChange: string | undefined
  isLooking: boolean
  /** Something changed while a look was under way. */
  isStale: boolean
  timer: NodeJS.Timeout | undefined
}

/** Watches for as long as there are watchers. */
export function createListingWatch(options: {
  pollMs: number
  /** The mark of the present state. @throws DfsError as a listing */
  look: (identity: Identity) => Promise<string>
}) {
  const { pollMs, look } = options
  /** By the proof that is used, so that one that ends does not end the others. */
  const watched = new Map<string, Watched>()
  const keyOf = ({ user, clientKeys }: Identity) => `${user} ${clientKeys[0]!.toString('latin1')}`

  async function lookNow(identity: Identity, state: Watched): Promise<void> {
    clearTimeout(state.timer)
    state.isStale = state.isLooking
    if (state.isLooking) return
    state.isLooking = true
    try {
      tell(state, await look(identity))
    } catch (error) {
      // Nodes that are away come back; a password that changed does not.
      if (error instanceof DfsError && error.code === 'AUTH_FAILED') return end(identity, state)
    } finally {
      state.isLooking = false
    }
    if (state.watchers.size === 0) return
    state.timer = setTimeout(() => void lookNow(identity, state), state.isStale ? 0 : pollMs)
    state.timer.unref()
  }

  function tell(state: Watched, change: string): void {
    if (change === state.lastChange) return
    state.lastChange = change
    for (const { listener } of state.watchers) listener(change)
  }

  function end(identity: Identity, state: Watched): void {
    watched.delete(keyOf(identity))
    for (const { onEnd } of state.watchers) onEnd()
    state.watchers.clear()
  }

  return {
    watch(identity: Identity, watcher: Watcher): () => void {
      const key = keyOf(identity)
      const state = watched.get(key) ?? {
        watchers: new Set(),
        lastChange: undefined,
        isLooking: false,
        isStale: false,
        timer: undefined,
      }
      watched.set(key, state)
      state.watchers.add(watcher)
      if (state.lastChange !== undefined) watcher.listener(state.lastChange)
      else void lookNow(identity, state)
      return () => {
        state.watchers.delete(watcher)
        if (state.watchers.size > 0) return
        clearTimeout(state.timer)
        if (watched.get(key) === state) watched.delete(key)
      }
    },

    /** This process changed files of the user: watchers need not wait for the next look. */
    touch(identity: Identity): void {
      const state = watched.get(keyOf(identity))
      if (state !== undefined) void lookNow(identity, state)
    },

    close(): void {
      for (const state of watched.values()) {
        state.watchers.clear()
        clearTimeout(state.timer)
      }
      watched.clear()
    },
  }
}
