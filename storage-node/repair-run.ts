// A repair from its beginning to its final statement: goes through all that is damaged or missing
// here, again and again until nothing is left but what cannot be had, and says how far it is. Knows
// which parts, and in which order; repair.ts and mend.ts know how one part is brought back.
import type { Catalog } from './catalog.ts'
import type { EntryBook, PartPlace } from './entries.ts'
import { Damage, type DamagedPart, type Ledger } from './ledger.ts'
import type { Log } from './log.ts'
import { mendPieces } from './mend.ts'
import type { PartStore } from './part-store.ts'
import type { Lack, PeerEntryBook } from './peer-entries.ts'
import { type DfsError, type RepairState, toDfsError } from './protocol/index.ts'
import type { Repair } from './repair.ts'
import type { RepairProgress } from './repair-progress.ts'

/** Versions on one page of what is missing; small ones of it are fetched several at once. */
const PAGE = 64
const SMALL_AT_ONCE = 8
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 60_000
/** With nothing missing, how long until repair looks again by itself. */
const IDLE_MS = 60_000
/** What both nodes have lost is asked for again after so long: an old disk may be back. */
const RETRY_LOST_MS = 600_000

/** A disk that fails here and there takes most parts; one that fails so often in a pass, none. */
const MOST_OWN_FAULTS = 16

/** Errors after which no other part of that twin needs to be tried now. */
const AWAY = new Set(['NODE_GONE', 'NODE_TIMEOUT', 'NODE_FOREIGN', 'AUTH_FAILED'])

export interface RepairRunOptions {
  catalog: Catalog
  ledger: Ledger
  entries: EntryBook
  peerEntries: PeerEntryBook
  parts: PartStore
  repair: Repair
  progress: RepairProgress
  signal: AbortSignal
  log: Log
}

export function createRepairRun(options: RepairRunOptions) {
  const { catalog, ledger, entries, peerEntries, parts, repair, progress, signal, log } = options
  /** Twins that did not answer in the present pass. */
  const away = new Set<number>()
  /** The disk here takes no parts now: of the present pass, the rest is not asked for. */
  let isBlocked = false
  let ownFaults = 0
  let failedParts = 0
  let toldFailed = 0
  let retryMs = FIRST_RETRY_MS
  let lostTriedMs = Number.NEGATIVE_INFINITY
  let isRunning = false

  /** Runs `bring`; a failure is counted and not thrown. Answers whether the part is whole. */
  async function tryOne(lack: Lack, part: number, bring: () => Promise<number>): Promise<boolean> {
    const twin = repair.twinOf(lack, part)
    if (isBlocked || away.has(twin)) {
      failedParts++
      return false
    }
    try {
      progress.onPart(lack, await bring())
      return true
    } catch (thrown) {
      const error = toDfsError(thrown)
      if (signal.aborted) throw error
      await onFailure(lack, part, error)
      return false
    }
  }

  async function onFailure(lack: Lack, part: number, error: DfsError): Promise<void> {
    progress.onPartial(0)
    log.debug('A part could not be fetched.', { reason: error.message })
    const { code } = error
    const isTwins = error.node !== undefined
    if (AWAY.has(code)) away.add(repair.twinOf(lack, part))
    if (code === 'DISK_FAILED' && !isTwins) ownFaults++
    isBlocked ||= code === 'NO_SPACE' || ownFaults >= MOST_OWN_FAULTS
    // The twin knows the version and has no right copy, or cannot read it: then there is none. The
    // others must not wait for that.
    const isUnreadable = code === 'DISK_FAILED' && isTwins
    const isLost = code === 'PART_MISSING' || code === 'DAMAGED' || isUnreadable
    if (isLost) await catalog.write(() => applyLost(lack, part))
    else failedParts++
    if (peerEntries.lackOf(lack, part) === undefined) await repair.forget(lack, part)
  }

  function applyLost(name: Lack, part: number): void {
    const lack = peerEntries.lackOf(name, part)
    if (lack === undefined) return
    const id = lack.id * 4 + part - 1
    const isHere = peerEntries.holds(name, part)
    const pieces = ledger.damageOf(id)?.pieces ?? (isHere ? 1 : lack.rows)
    ledger.applyDamage(id, isHere ? Damage.lost : Damage.lostMissing, pieces)
  }

  /** Brings a part that is here and damaged back to what was stored. Answers its bytes, or 0. */
  async function mend(lack: Lack, part: number, damage: DamagedPart): Promise<number> {
    const place = entries.placeOf(lack, part)
    const { mended, bytes, isInPlace } =
      place.key === null
        ? { mended: 1, bytes: await repair.fetch(lack, part), isInPlace: false }
        : await mendFile(lack, { ...place, key: place.key })
    await catalog.write(() => {
      ledger.applyMended(damage.id)
      if (isInPlace && mended > 0) progress.applyDone(bytes)
      applyCount(damage, Math.max(mended, damage.pieces))
    })
    return bytes
  }

  async function mendFile(
    lack: Lack,
    place: PartPlace & { key: Uint8Array },
  ): Promise<{ mended: number; bytes: number; isInPlace: boolean }> {
    const { part, rows, key, pieceBytes } = place
    if (!(await parts.isWhole(key, part, place))) {
      await catalog.write(() => peerEntries.applyLose(lack, part))
      return { mended: rows, bytes: await repair.fetch(lack, part), isInPlace: false }
    }
    try {
      const path = parts.pathOf(key, part)
      const { mended, isForeign } = await mendPieces(repair, lack, { ...place, path })
      if (!isForeign) return { mended, bytes: mended * pieceBytes, isInPlace: true }
    } catch (error) {
      // Where the disk takes no other bytes in that place, they go to another one.
      if (toDfsError(error).code !== 'DISK_FAILED') throw error
    }
    return { mended: 1, bytes: await repair.fetch(lack, part), isInPlace: false }
  }

  /** Scrub tells of all pieces that were found damaged and mended, whoever met them. */
  function applyCount(damage: DamagedPart, mended: number): void {
    ledger.applyAdd({ scrub_mended: mended, scrub_damaged: mended - damage.pieces })
  }

  async function mendDamaged(state: Damage): Promise<void> {
    for (let after = 0; !signal.aborted; ) {
      const page = ledger.damaged(state, after, PAGE)
      if (page.length === 0) break
      for (const damage of page) {
        after = damage.id
        const part = (damage.id % 4) + 1
        const lack = peerEntries.lackOfId(Math.floor(damage.id / 4), part)
        if (lack === undefined) await catalog.write(() => ledger.applyMended(damage.id))
        else await tryOne(lack, part, () => mend(lack, part, damage))
      }
    }
  }

  /** Fetches what is not here; of what scrub found gone, the pieces count as mended. */
  async function fill(lack: Lack, part: number, withLost: boolean): Promise<void> {
    const damage = ledger.damageOf(lack.id * 4 + part - 1)
    if (damage?.state === Damage.lostMissing && !withLost) return
    const isBack = await tryOne(lack, part, () => repair.fetch(lack, part))
    if (isBack && damage?.state === Damage.gone) {
      await catalog.write(() => applyCount(damage, damage.pieces))
    }
  }

  async function fillPage(page: readonly Lack[], withLost: boolean): Promise<void> {
    const small = page.filter(({ rows }) => rows === 1).values()
    const lane = async () => {
      for (const lack of small) {
        for (const part of lack.missing) await fill(lack, part, withLost)
      }
    }
    await Promise.all(Array.from({ length: SMALL_AT_ONCE }, lane))
    for (const lack of page.filter(({ rows }) => rows > 1)) {
      for (const part of lack.missing) await fill(lack, part, withLost)
    }
  }

  function leftParts(): number {
    const missing = ledger.missing().parts - ledger.countOf(Damage.lostMissing)
    return Math.max(0, missing) + ledger.countOf(Damage.waiting)
  }

  async function pass(withLost: boolean): Promise<void> {
    away.clear()
    isBlocked = false
    ownFaults = 0
    failedParts = 0
    await mendDamaged(Damage.waiting)
    if (withLost) await mendDamaged(Damage.lost)
    for (const page of lackingPages()) {
      if (signal.aborted) break
      await fillPage(page, withLost)
    }
  }

  function* lackingPages(): Generator<Lack[]> {
    for (let after = 0; ; ) {
      const page = peerEntries.lacking(after, PAGE)
      if (page.length === 0) return
      after = page.at(-1)!.id
      yield page
    }
  }

  function* lackingEntries(): Generator<Lack> {
    for (const page of lackingPages()) yield* page
  }

  function tellFailed(): void {
    if (failedParts > 0 && failedParts !== toldFailed) {
      const why = isBlocked ? 'have no place on this disk' : 'could not be had from their twins'
      log.warn(`Parts ${why}; they are tried again.`, { failedParts })
    }
    toldFailed = failedParts
  }

  return {
    /** One pass over all that is missing or damaged. Answers when the next is due. */
    async step(): Promise<number> {
      const lostParts = ledger.lostParts()
      const withLost = lostParts > 0 && performance.now() - lostTriedMs > RETRY_LOST_MS
      if (leftParts() === 0 && !withLost) {
        failedParts = 0
        await repair.forgetOthers(lackingEntries())
        return IDLE_MS
      }
      if (withLost) lostTriedMs = performance.now()
      if (leftParts() > 0) await progress.begin()
      isRunning = true
      try {
        await pass(withLost)
      } finally {
        isRunning = false
        tellFailed()
      }
      if (leftParts() > 0) {
        // What came in during the pass is no failure: it is fetched at once.
        if (failedParts === 0) return 0
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)
        return retryMs
      }
      retryMs = FIRST_RETRY_MS
      await progress.end(ledger.lostParts())
      await repair.forgetOthers(lackingEntries())
      return IDLE_MS
    },

    state(): Omit<RepairState, 'peers' | 'isCurrent'> {
      const missingParts = leftParts()
      return {
        isRunning,
        missingParts,
        failedParts,
        lostParts: ledger.lostParts(),
        ...progress.state(missingParts),
      }
    },
  }
}
