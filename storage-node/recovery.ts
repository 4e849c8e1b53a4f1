// Everything by which a node brings itself up to date with its peers, as loops in the background:
// undecided versions are settled, what the peers decided is taken over, parts that are missing or
// damaged here are fetched. Knows when; settle.ts, catch-up.ts and repair.ts know how.
import { createCatchUp } from './catch-up.ts'
import type { Services } from './commands/table.ts'
import type { VersionName } from './entry-table.ts'
import type { Log } from './log.ts'
import { createPace, type Loop, startLoop } from './pace.ts'
import type { Lack } from './peer-entries.ts'
import type { Peer } from './peers.ts'
import {
  type DfsError,
  NODE_COUNT,
  nodeName,
  type RepairState,
  toDfsError,
} from './protocol/index.ts'
import { createFetchPart, type FetchPart } from './repair.ts'
import { settle } from './settle.ts'

/** Versions on one page of what is missing; small ones of it are fetched several at once. */
const PAGE = 64
const SMALL_AT_ONCE = 8
/** Damaged parts that are remembered until they are fetched. */
const MAX_SUSPECTS = 10_000
const MAX_SETTLE_EVERY_MS = 5000
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 60_000
/** With nothing missing, how long until repair looks again by itself. */
const IDLE_MS = 60_000

export interface Recovery {
  state(): RepairState
  /** A reader met a part that is gone or damaged: it is fetched anew. */
  report(name: VersionName, part: number, code: 'PART_MISSING' | 'DAMAGED'): void
  /** Begins; what was begun before a restart goes on. */
  start(): void
  stop(): Promise<void>
}

export interface RecoveryOptions {
  /** All but the recovery itself. */
  services: Omit<Services, 'recovery'>
  /** Three, or none: then nothing here can be done but to say what is missing. */
  peers: readonly Peer[]
  graceMs: number
  lookEveryMs: number
  bytesPerSecond: number
  log: Log
}

export function createRecovery(options: RecoveryOptions): Recovery {
  const { services, peers, graceMs, lookEveryMs, bytesPerSecond, log } = options
  const { catalog, accounts, entries, peerEntries, parts, staging, space, node } = services
  const stopping = new AbortController()
  const suspects = new Map<string, { name: VersionName; part: number }>()
  const followed = new Set<number>()
  const loops: Loop[] = []
  const done = { parts: 0, bytes: 0 }
  let failedParts = 0
  let toldFailed = 0
  let retryMs = FIRST_RETRY_MS
  let isRunning = false
  let repairLoop: Loop | undefined
  let checked: Promise<void> | undefined

  const catchUp = createCatchUp({
    ...{ catalog, accounts, peerEntries, parts, forgetUser: services.forgetUser },
    onPage: () => repairLoop?.wake(),
  })
  const fetchPart: FetchPart = createFetchPart({
    ...{ catalog, peerEntries, parts, space, peers, node },
    stagingPath: staging.folder,
    pace: createPace(bytesPerSecond, stopping.signal),
  })

  async function follow(peer: Peer): Promise<number> {
    try {
      await catchUp(await peer.link())
    } catch (error) {
      const { code, message } = toDfsError(error)
      // A peer that is down is told by its absence; what else may be wrong, the operator must know.
      if (code !== 'NODE_GONE' && code !== 'NODE_TIMEOUT') {
        log.warn(`What ${nodeName(peer.node - 1)} knows cannot be had.`, { reason: message })
      }
      return lookEveryMs
    }
    followed.add(peer.node)
    return lookEveryMs
  }

  async function settleOnce(): Promise<number> {
    await settle({ catalog, entries, peerEntries, parts, peers, graceMs })
    return Math.min(Math.max(graceMs / 2, 50), MAX_SETTLE_EVERY_MS)
  }

  /** Says of part files that are gone or cut short that they are not held. */
  async function checkFiles(): Promise<void> {
    let lostCount = 0
    for (let after = 0; ; ) {
      const page = peerEntries.heldFiles(after, PAGE)
      if (page.length === 0) break
      for (const { id, name, key, part, rows, bytes } of page) {
        after = id
        if (stopping.signal.aborted) return
        if (await parts.isWhole(key, part, { rows, bytes })) continue
        lostCount++
        await catalog.write(() => peerEntries.applyLose(name, part))
      }
    }
    if (lostCount > 0) log.warn('Part files are gone or cut short.', { lostCount })
  }

  /** Fetches one part; a failure is counted and not thrown. */
  async function tryFetch(lack: Lack, part: number): Promise<boolean> {
    try {
      const bytes = await fetchPart(lack, part)
      if (bytes > 0) done.parts++
      done.bytes += bytes
      return true
    } catch (thrown) {
      const error = toDfsError(thrown)
      failedParts++
      if (stopping.signal.aborted) throw error
      // No other part would fit either.
      if (error.code === 'NO_SPACE' || error.code === 'DISK_FAILED') throw error
      log.debug('A part could not be fetched.', { reason: error.message })
      return false
    }
  }

  async function mendSuspects(): Promise<void> {
    for (const [id, { name, part }] of suspects) {
      const lack = peerEntries.lackOf(name, part)
      if (lack === undefined || (await tryFetch(lack, part))) suspects.delete(id)
    }
  }

  async function fillPage(page: readonly Lack[]): Promise<void> {
    const small = page.filter(({ rows }) => rows === 1).values()
    const lane = async () => {
      for (const lack of small) for (const part of lack.missing) await tryFetch(lack, part)
    }
    await Promise.all(Array.from({ length: SMALL_AT_ONCE }, lane))
    for (const lack of page.filter(({ rows }) => rows > 1)) {
      for (const part of lack.missing) await tryFetch(lack, part)
    }
  }

  /** One pass over all that is missing. */
  async function repairOnce(): Promise<number> {
    const before = { ...done }
    failedParts = 0
    isRunning = suspects.size > 0 || peerEntries.lacking(0, 1).length > 0
    if (!isRunning) return IDLE_MS
    try {
      await mendSuspects()
      for (let after = 0; !stopping.signal.aborted; ) {
        const page = peerEntries.lacking(after, PAGE)
        if (page.length === 0) break
        after = page.at(-1)!.id
        await fillPage(page)
      }
    } finally {
      isRunning = false
      tellResult({ parts: done.parts - before.parts, bytes: done.bytes - before.bytes })
    }
    if (failedParts === 0) {
      retryMs = FIRST_RETRY_MS
      return 0
    }
    retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)
    return retryMs
  }

  function tellResult(fetched: { parts: number; bytes: number }): void {
    const missingParts = peerEntries.missingParts()
    if (fetched.parts > 0)
      log.info('Fetched parts that were missing.', { ...fetched, missingParts })
    if (failedParts > 0 && failedParts !== toldFailed) {
      log.warn('Parts could not be had from their twins; they are tried again.', { failedParts })
    }
    toldFailed = failedParts
  }

  const onError = (error: DfsError) => {
    if (!stopping.signal.aborted) log.warn('Recovery paused.', { reason: error.message })
  }
  const loop = (step: () => Promise<number>) => startLoop({ step, retryMs: lookEveryMs, onError })

  return {
    state: () => ({
      peers: peers.filter(({ isUp }) => isUp).length,
      isCurrent: followed.size === NODE_COUNT - 1,
      isRunning,
      missingParts: peerEntries.missingParts() + suspects.size,
      failedParts,
      doneParts: done.parts,
      doneBytes: done.bytes,
    }),

    report(name, part, code) {
      if (code === 'PART_MISSING') {
        catalog
          .write(() => peerEntries.applyLose(name, part))
          .then(() => repairLoop?.wake(), onError)
        return
      }
      if (suspects.size >= MAX_SUSPECTS) return
      const id = [name.user, hexOf(name.file), hexOf(name.version), part].join(' ')
      suspects.set(id, { name, part })
      repairLoop?.wake()
    },

    start() {
      checked = checkFiles().catch(onError)
      if (peers.length === 0) return
      repairLoop = loop(async () => {
        await checked
        return repairOnce()
      })
      loops.push(repairLoop, loop(settleOnce))
      for (const peer of peers) loops.push(loop(() => follow(peer)))
    },

    async stop() {
      stopping.abort()
      for (const peer of peers) peer.close()
      await Promise.all([checked, ...loops.map((one) => one.stop())])
    },
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
