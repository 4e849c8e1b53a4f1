// Decides prepared versions that their gateway left undecided, together with the peers. The rule,
// and why it is safe, is in README.md, "How an undecided upload ends".
import type { Catalog } from './catalog.ts'
import type { EntryBook } from './entries.ts'
import type { Doomed, VersionName } from './entry-table.ts'
import type { PartStore } from './part-store.ts'
import type { PeerEntryBook } from './peer-entries.ts'
import type { Peer } from './peers.ts'
import { NODE_COUNT, type Standing } from './protocol/index.ts'

/** Versions that are looked at in one round, the oldest first, and at once. */
const ROUND = 1000
const AT_ONCE = 32
/** A version younger than this is on its way to its commit: nobody is asked about it. */
const FRESH_MS = 2000

export interface SettleOptions {
  catalog: Catalog
  entries: EntryBook
  peerEntries: PeerEntryBook
  parts: PartStore
  peers: readonly Peer[]
  graceMs: number
}

export type Verdict = 'commit' | 'abort' | 'wait'

/** One round over all that is undecided. Answers how many were decided. */
export async function settle(options: SettleOptions): Promise<number> {
  const { catalog, entries, peerEntries, parts, peers, graceMs } = options
  let decidedCount = 0

  async function ask(name: VersionName, decide: boolean): Promise<(Standing | undefined)[]> {
    const { user, file, version } = name
    return Promise.all(
      peers.map(async (peer) => {
        try {
          const link = await peer.link()
          const answer = await link.request('peer-entry', { file, version, decide }, user)
          return answer.header.standing
        } catch {
          // Who does not answer says nothing: it is asked again in the next round.
          return undefined
        }
      }),
    )
  }

  async function settleOne(name: VersionName, sinceMs: number): Promise<void> {
    // Whichever way the clock was set meanwhile.
    const ageMs = Math.abs(Date.now() - sinceMs)
    if (ageMs < Math.min(graceMs, FRESH_MS)) return
    const isDue = ageMs >= graceMs
    let verdict = verdictOf(await ask(name, false), false)
    if (verdict === 'wait' && isDue) verdict = verdictOf(await ask(name, true), true)
    if (verdict === 'wait') return
    const decide = (): Doomed[] => {
      const isHere = peerEntries.standing(name) === 'prepared'
      if (!isHere) return []
      decidedCount++
      return verdict === 'commit' ? entries.applyCommit(name) : peerEntries.applyDrop(name)
    }
    await parts.discard(await catalog.write(decide))
  }

  const left = peerEntries.undecided(ROUND).values()
  const lane = async () => {
    for (const { user, file, version, since_ms: sinceMs } of left) {
      await settleOne({ user, file, version }, sinceMs)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return decidedCount
}

/**
 * What the peers' standings make of a version that is prepared here; undefined for a peer that did
 * not answer. `isBinding`: those that have it prepared will keep it, and those that have not will
 * never take it.
 */
export function verdictOf(
  standings: readonly (Standing | undefined)[],
  isBinding: boolean,
): Verdict {
  if (standings.includes('committed')) return 'commit'
  // A newer version is decided: it comes with the peer's changes and takes the place of this one.
  if (standings.includes('superseded')) return 'wait'
  const isComplete = standings.length === NODE_COUNT - 1 && !standings.includes(undefined)
  if (!isBinding || !isComplete) return 'wait'
  if (standings.includes('refused')) return 'abort'
  // One node that was replaced may have had it: the other three have all parts.
  const blankCount = standings.filter((standing) => standing === 'blank').length
  const isPrepared = standings.every((standing) => standing === 'prepared' || standing === 'blank')
  return isPrepared && blankCount <= 1 ? 'commit' : 'wait'
}
