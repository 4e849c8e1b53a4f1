// Who reads a version now, or did a moment ago: where its parts are is remembered after the catalog
// has forgotten it, so that a reader that takes rows with pauses comes to the end of a version that
// was replaced or deleted meanwhile. Lives in memory; touches no file.
import type { PartPlace } from './entries.ts'
import type { VersionName } from './entry-table.ts'

/** Longer than a gateway lets a reader stand still between two rows. */
const RECENT_MS = 120_000
/** Parts that are remembered; readers of others find a version that is gone to be gone. */
const MAX_PLACES = 4096

export type RecentReads = ReturnType<typeof createRecentReads>

export function createRecentReads() {
  const places = new Map<string, { place: PartPlace; readMs: number }>()
  /** When a part file with that key (hex) was read last. */
  const keys = new Map<string, number>()

  return {
    /** A part that is in a file is read. */
    note(name: VersionName, part: number, place: PartPlace): void {
      if (place.key === null) return
      const readMs = performance.now()
      const id = idOf(name, part)
      // The oldest are first in a map; what is read again moves to its end.
      places.delete(id)
      places.set(id, { place, readMs })
      keys.set(Buffer.from(place.key).toString('hex'), readMs)
      if (places.size > MAX_PLACES) places.delete(places.keys().next().value!)
    },

    /** Where the part was when it was read last. */
    find: (name: VersionName, part: number): PartPlace | undefined =>
      places.get(idOf(name, part))?.place,

    /** Whether a part file with that key was read of late. */
    has: (keyHex: string): boolean =>
      (keys.get(keyHex) ?? Number.NEGATIVE_INFINITY) > performance.now() - RECENT_MS,

    /** Forgets what nobody has read for a while. */
    collect(): void {
      const beforeMs = performance.now() - RECENT_MS
      for (const [id, { readMs }] of places) if (readMs < beforeMs) places.delete(id)
      for (const [key, readMs] of keys) if (readMs < beforeMs) keys.delete(key)
    },
  }
}

function idOf({ user, file, version }: VersionName, part: number): string {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  return `${user} ${hex(file)} ${hex(version)} ${part}`
}
