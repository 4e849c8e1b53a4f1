// Collects tombstones of files and of accounts that all four nodes know of. The rule, and why no
// deleted file comes back, is in README.md, "How deletions end". Brings nobody up to date: that is
// catch-up.ts's.
import type { AccountBook } from './accounts.ts'
import type { Catalog } from './catalog.ts'
import type { Cursors } from './cursors.ts'
import type { Log } from './log.ts'
import type { PeerEntryBook } from './peer-entries.ts'
import type { Peer } from './peers.ts'
import { NODE_COUNT, type ResponseOf } from './protocol/index.ts'

/** Tombstones that go in one transaction. */
const PAGE = 1000
/** Rounds after which a confirmation is asked for anew: a peer may have another folder by now. */
const MAX_WAITS = 20

export interface GravesOptions {
  catalog: Catalog
  accounts: AccountBook
  peerEntries: PeerEntryBook
  cursors: Cursors
  peers: readonly Peer[]
  /** Of this node, 1..4, and the epoch of its folder. */
  node: number
  epoch: Uint8Array
  /** How long a tombstone is kept at least, whoever knows it. */
  keepMs: number
  log: Log
}

interface Confirmation extends ResponseOf<'peer-known'> {
  peer: Peer
  epoch: Uint8Array
}

/** Answers the function that goes one round; it needs two of them to collect anything. */
export function createGraves(options: GravesOptions): () => Promise<void> {
  const { catalog, accounts, peerEntries, cursors, peers, node, epoch, keepMs, log } = options
  let before: readonly Confirmation[] = []
  let waits = 0

  /** How far each peer is with what this node tells, and what it has to tell itself. */
  function ask(): Promise<Confirmation[]> {
    return Promise.all(
      peers.map(async (peer) => {
        const link = await peer.link()
        const { header } = await link.request('peer-known', { node, epoch })
        return { ...header, peer, epoch: link.epoch }
      }),
    )
  }

  /** Whether this node has heard all that the peer had to tell when it confirmed. */
  function isHeard({ peer, epoch: peerEpoch, lastAccount, lastEntry }: Confirmation): boolean {
    const own = cursors.of(peer.node, peerEpoch)
    return own.accounts >= lastAccount && own.entries >= lastEntry
  }

  async function collect(known: { accounts: number; entries: number }): Promise<number> {
    let collected = 0
    for (let count = PAGE; count === PAGE; collected += count) {
      const beforeMs = Date.now() - keepMs
      count = await catalog.writeAlone(() => {
        const files = peerEntries.applyUnbury({ upTo: known.entries, beforeMs, limit: PAGE })
        return files + accounts.applyUnbury({ upTo: known.accounts, beforeMs, limit: PAGE - files })
      })
    }
    return collected
  }

  return async () => {
    const beforeMs = Date.now() - keepMs
    const isDue = peerEntries.hasGraves(beforeMs) || accounts.hasGraves(beforeMs)
    if (!isDue || peers.length < NODE_COUNT - 1) {
      before = []
      return
    }
    // What the round before was told is heard by now, or is waited for: who forgot a tombstone
    // before it has heard of it from everybody would take it for new.
    if (before.length > 0 && before.every(isHeard)) {
      const accountsKnown = Math.min(...before.map((one) => one.accounts))
      const entriesKnown = Math.min(...before.map((one) => one.entries))
      const count = await collect({ accounts: accountsKnown, entries: entriesKnown })
      if (count > 0) log.info('Collected tombstones that all four nodes know.', { count })
      before = []
    }
    if (before.length > 0 && ++waits < MAX_WAITS) return
    before = []
    waits = 0
    before = await ask()
  }
}
