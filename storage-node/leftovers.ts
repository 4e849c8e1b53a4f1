// Puts right in the background what a process that died has left, while the node serves already:
// removed users whose files are still here, part files that no entry names, files that an entry
// names and that are gone. Nothing here may hold up a start, however much the node keeps.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Services } from './commands/table.ts'
import type { Log } from './log.ts'
import { toDfsError } from './protocol/index.ts'

/** Part files that are looked at between two pauses. */
const PAGE = 64
/** Pauses are this many times as long as the work before: users come first. */
const PAUSE_FACTOR = 3

export interface Leftovers {
  /** Ends the work; what is left of it is done after the next start. */
  stop(): Promise<void>
}

type Needs = Pick<
  Services,
  'accounts' | 'catalog' | 'entries' | 'parts' | 'peerEntries' | 'forgetUser'
>

/** Begins the work, and calls `onLost` where parts turned out to be gone. */
export function clearLeftovers(options: {
  services: Needs
  onLost: () => void
  log: Log
}): Leftovers {
  const { services, onLost, log } = options
  const { accounts, catalog, entries, parts, peerEntries, forgetUser } = services
  const stopping = new AbortController()
  const { signal } = stopping

  async function forgetUsers(): Promise<void> {
    for (const user of accounts.usersBeingRemoved()) {
      if (signal.aborted) return
      await forgetUser(user)
    }
  }

  async function collectOrphans(): Promise<void> {
    const orphanCount = await parts.collect(entries.hasKey, signal)
    if (orphanCount > 0) log.info('Removed part files that no entry names.', { orphanCount })
  }

  /** Says of part files that are gone or cut short that they are not held. */
  async function checkFiles(): Promise<void> {
    let lostCount = 0
    for (let after = 0; !signal.aborted; ) {
      const beganMs = performance.now()
      const page = peerEntries.heldFiles(after, PAGE)
      if (page.length === 0) break
      after = page.at(-1)!.id
      for (const { name, key, part, rows, bytes } of page) {
        if (key === null || (await parts.isWhole(key, part, { rows, bytes }))) continue
        lostCount++
        await catalog.write(() => peerEntries.applyLose(name, part))
      }
      await sleep((performance.now() - beganMs) * PAUSE_FACTOR, undefined, { signal })
    }
    if (lostCount === 0) return
    log.warn('Part files are gone or cut short.', { lostCount })
    onLost()
  }

  const attempt = (work: () => Promise<void>) =>
    work().catch((error: unknown) => {
      if (signal.aborted) return
      log.warn('Leftovers could not be cleared.', { reason: toDfsError(error).message })
    })
  // Removing a user ends with the catalog: nobody waits for the end of that.
  void attempt(forgetUsers)
  const running = Promise.all([collectOrphans, checkFiles].map(attempt))
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}
