// Brings this node up to date with what one peer says is decided: accounts first, then versions,
// page by page after a cursor that is stored in the same transaction as what it covers. Fetches no
// parts; a version that comes this way lacks them until repair.ts has them.
import type { AccountBook } from './accounts.ts'
import type { Catalog } from './catalog.ts'
import type { Cursor, Cursors } from './cursors.ts'
import type { PartStore } from './part-store.ts'
import type { PeerEntryBook } from './peer-entries.ts'
import type { PeerLink } from './peer-link.ts'
import {
  checkMessage,
  DfsError,
  decodeStrict,
  MAX_PAGE_ENTRIES,
  type PeerAccount,
  PeerAccounts,
  PeerEntries,
} from './protocol/index.ts'

export interface CatchUpOptions {
  catalog: Catalog
  accounts: AccountBook
  peerEntries: PeerEntryBook
  cursors: Cursors
  parts: PartStore
  forgetUser: (user: string) => Promise<void>
  /** Called after each page that was taken. */
  onPage: () => void
}

export type CatchUp = (link: PeerLink) => Promise<void>

/** Answers the function that takes all that the peer behind a link has to tell now. */
export function createCatchUp(options: CatchUpOptions): CatchUp {
  const { catalog, accounts, peerEntries, cursors, parts, forgetUser, onPage } = options
  const cursorsOf = (link: PeerLink) => cursors.of(link.node, link.epoch)
  const keep = (link: PeerLink, cursor: Cursor) => cursors.applyKeep(link.node, link.epoch, cursor)

  async function takeAccounts(told: readonly PeerAccount[], onWrite: () => void): Promise<void> {
    // A removal that is under way here must not take what comes after it.
    for (const user of accounts.usersBeingRemoved()) await forgetUser(user)
    const removed = await catalog.writeAlone(() => {
      onWrite()
      return told.filter((one) => accounts.applyTold(one))
    })
    for (const { user } of removed) await forgetUser(user)
  }

  async function followAccounts(link: PeerLink): Promise<void> {
    for (let more = true; more; ) {
      const known = cursorsOf(link)
      const fields = { since: known.accounts, limit: MAX_PAGE_ENTRIES }
      const { header, bodies } = await link.request('peer-accounts', fields)
      const told = checkMessage(PeerAccounts, itemsOf(bodies), 'a page of accounts')
      more = requireProgress(header, known.accounts)
      if (told.length > 0) {
        await takeAccounts(told, () => keep(link, { ...known, accounts: header.next }))
      }
    }
  }

  /** The users of a page who have no account here: theirs is fetched, or they are no more. */
  async function strangersOf(link: PeerLink, users: Iterable<string>): Promise<Set<string>> {
    const strangers = new Set<string>()
    for (const user of new Set(users)) {
      if (accounts.storedKeyOf(user) !== undefined) continue
      try {
        const { header } = await link.request('account', {}, user)
        const { account } = header
        await takeAccounts([{ user, change: account.change, account }], () => {})
      } catch (error) {
        if (!(error instanceof DfsError) || error.code !== 'ACCOUNT_UNKNOWN') throw error
      }
      if (accounts.storedKeyOf(user) === undefined) strangers.add(user)
    }
    return strangers
  }

  async function followEntries(link: PeerLink): Promise<void> {
    for (let more = true; more; ) {
      const known = cursorsOf(link)
      const fields = { since: known.entries, limit: MAX_PAGE_ENTRIES }
      const { header, bodies } = await link.request('peer-changes', fields)
      const told = checkMessage(PeerEntries, itemsOf(bodies), 'a page of changes')
      more = requireProgress(header, known.entries)
      if (header.next === known.entries) continue
      const strangers = await strangersOf(
        link,
        told.map(({ user }) => user),
      )
      const doomed = await catalog.writeAlone(() => {
        keep(link, { ...known, entries: header.next })
        return told.flatMap((one) => (strangers.has(one.user) ? [] : peerEntries.applyTold(one)))
      })
      await parts.discard(doomed)
      if (told.length > 0) onPage()
    }
  }

  return async (link) => {
    await followAccounts(link)
    await followEntries(link)
  }
}

function itemsOf(bodies: readonly Buffer[]): unknown {
  return bodies[0] === undefined ? [] : decodeStrict(bodies[0])
}

/** Answers `more`; a peer that promises more and does not go on would be asked for ever. */
function requireProgress(header: { next: number; more: boolean }, since: number): boolean {
  if (header.next < since || (header.more && header.next === since)) {
    throw new DfsError('BAD_MESSAGE', 'A peer answered with a cursor that does not go on.')
  }
  return header.more
}
