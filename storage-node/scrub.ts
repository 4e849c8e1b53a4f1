// Reads all that the node holds, again and again, slowly: each pass goes through the parts in the
// order of the catalog and compares every piece with its checksum. What is damaged is noted in the
// ledger, from where repair mends it. Where a pass is, is in the catalog: a restart goes on.
import { crc32 } from 'node:zlib'
import type { Catalog } from './catalog.ts'
import { Damage, type Ledger } from './ledger.ts'
import type { Log } from './log.ts'
import { CRC_BYTES, inlineReader, type PartStore } from './part-store.ts'
import type { HeldPart, PeerEntryBook } from './peer-entries.ts'
import { type DfsError, type ScrubState, toDfsError } from './protocol/index.ts'
import { createScrubPace } from './scrub-pace.ts'

/** Parts that are read between two looks at the clock, where they lie in the catalog. */
const PAGE = 16
/** What a part costs beside its bytes, as bytes: many small ones must not take all the time. */
const PART_WEIGHT_BYTES = 16_384
/** How much reading a crash may cost: the cursor is written this often. */
const KEEP_EVERY_MS = 5000
/** How long a pass that is not due is waited for at a stretch. */
const MAX_WAIT_MS = 3_600_000

export interface ScrubOptions {
  catalog: Catalog
  ledger: Ledger
  peerEntries: PeerEntryBook
  parts: PartStore
  /** From the beginning of a pass to that of the next. */
  everyMs: number
  /** Never faster than this, also when a pass is late or was asked for. */
  bytesPerSecond: number
  /** Something was noted that repair is to look at. */
  onDamage: () => void
  log: Log
  signal: AbortSignal
}

/** How far into a part the pass is. */
interface Position {
  id: number
  row: number
  checksum: number
  damaged: number
}

export type Scrub = ReturnType<typeof createScrub>

export function createScrub(options: ScrubOptions) {
  const { catalog, ledger, peerEntries, parts, everyMs, onDamage, log, signal } = options
  const read = { pieces: ledger.get('scrub_pieces'), bytes: ledger.get('scrub_bytes') }
  let at: Position = {
    id: ledger.get('scrub_id'),
    row: ledger.get('scrub_row'),
    checksum: ledger.get('scrub_checksum'),
    damaged: ledger.get('scrub_row_damaged'),
  }
  const crcBytes = Buffer.alloc(CRC_BYTES)
  let keptMs = performance.now()
  /** Another pass was begun meanwhile: what the one before still has in hand counts no more. */
  let pass = 0
  const isOpen = () => ledger.get('scrub_started_ms') > ledger.get('scrub_finished_ms')
  const pace = createScrubPace({
    everyMs,
    bytesPerSecond: options.bytesPerSecond,
    totals: () => catalog.totals(),
    startedMs: () => ledger.get('scrub_started_ms'),
    isHurried: () => ledger.get('scrub_hurried') === 1,
    signal,
  })

  function applyKeep(): void {
    const { id, row, checksum, damaged } = at
    ledger.applySet({ scrub_id: id, scrub_row: row, scrub_checksum: checksum })
    ledger.applySet({ scrub_row_damaged: damaged })
    ledger.applySet({ scrub_pieces: read.pieces, scrub_bytes: read.bytes })
  }

  async function keep(): Promise<void> {
    if (performance.now() - keptMs < KEEP_EVERY_MS) return
    keptMs = performance.now()
    await catalog.write(applyKeep)
  }

  async function begin(isHurried: boolean): Promise<void> {
    pass++
    at = { id: 0, row: 0, checksum: 0, damaged: 0 }
    Object.assign(read, { pieces: 0, bytes: 0 })
    await catalog.write(() => {
      if (!isOpen()) {
        const { damaged, mended, lost } = counts()
        ledger.applySet({ scrub_last_damaged: damaged, scrub_last_mended: mended })
        ledger.applySet({ scrub_last_lost: lost })
      }
      const startedMs = Math.max(Date.now(), ledger.get('scrub_finished_ms') + 1)
      ledger.applySet({ scrub_started_ms: startedMs, scrub_hurried: isHurried ? 1 : 0 })
      ledger.applySet({ scrub_damaged: 0, scrub_mended: 0 })
      applyKeep()
    })
  }

  /** Compares one piece with its checksum; both count, whatever comes out. */
  function check({ piece, crc }: { piece: Buffer; crc: number }): void {
    read.pieces++
    read.bytes += piece.length
    if (crc32(piece) !== crc) at.damaged++
    crcBytes.writeUInt32BE(crc)
    at.checksum = crc32(crcBytes, at.checksum)
  }

  async function checkFile(part: HeldPart): Promise<void> {
    const current = pass
    const reader = await parts.openPart(part.key!, part.part, part)
    try {
      while (at.row < part.rows && !signal.aborted) {
        const found = (await reader.read(at.row, 1))[0]!
        if (pass !== current) return
        check(found)
        at.row++
        await pace.after(found.piece.length, read.bytes)
        if (pass !== current) return
        await keep()
      }
    } finally {
      await reader.close()
    }
  }

  /** Notes what is wrong with a part, if anything, and goes on behind it. */
  async function conclude(part: HeldPart): Promise<void> {
    // Pieces that fit their checksums and are not those that were stored count as one.
    const damaged = at.damaged > 0 ? at.damaged : at.checksum === part.checksum ? 0 : 1
    at = { id: part.id, row: 0, checksum: 0, damaged: 0 }
    if (damaged > 0) await note(part, Damage.waiting, damaged)
  }

  async function note(part: HeldPart, state: Damage, damaged: number): Promise<void> {
    const isNoted = await catalog.write(() => {
      // It may have been replaced or deleted while it was read.
      const now = peerEntries.partById(part.id)
      if (now === undefined || now.checksum !== part.checksum) return false
      if (state === Damage.gone) peerEntries.applyLose(part.name, part.part)
      ledger.applyDamage(part.id, state, damaged)
      ledger.applyAdd({ scrub_damaged: damaged })
      applyKeep()
      return true
    })
    if (isNoted) onDamage()
  }

  async function checkPart(part: HeldPart): Promise<void> {
    const current = pass
    if (at.id !== part.id) at = { id: part.id, row: 0, checksum: 0, damaged: 0 }
    try {
      if (part.data !== null) check((await inlineReader(part.data).read(0, 1))[0]!)
      else await checkFile(part)
    } catch (error) {
      if (signal.aborted || pass !== current) return
      await onUnreadable(part, toDfsError(error))
      return
    }
    if (!signal.aborted && pass === current) await conclude(part)
  }

  async function onUnreadable(part: HeldPart, error: DfsError): Promise<void> {
    const isGone = error.code === 'PART_MISSING'
    log.warn('Scrub met a part that cannot be read.', { reason: error.message })
    at = { id: part.id, row: 0, checksum: 0, damaged: 0 }
    if (isGone) await note(part, Damage.gone, part.rows)
    else await note(part, Damage.waiting, 1)
  }

  async function end(): Promise<void> {
    await catalog.write(() => {
      applyKeep()
      const startedMs = ledger.get('scrub_started_ms')
      const finishedMs = Math.max(Date.now(), startedMs + 1)
      ledger.applySet({ scrub_finished_ms: finishedMs, scrub_hurried: 0 })
      ledger.applySet({ scrub_last_started_ms: startedMs, scrub_last_pieces: read.pieces })
      ledger.applySet({ scrub_last_bytes: read.bytes })
    })
    const { damaged, mended, lost } = counts()
    const facts = { ...read, damaged, mended, lost }
    if (damaged === 0) log.info('A scrub came to its end: nothing is damaged.', facts)
    else log.warn('A scrub came to its end, and found damage.', facts)
  }

  function counts() {
    const damaged = ledger.get('scrub_damaged')
    return { damaged, mended: ledger.get('scrub_mended'), lost: ledger.lostPieces() }
  }

  /** Until the next pass begins, what is mended counts for the one that found it. */
  function lastPass(finishedMs: number): NonNullable<ScrubState['last']> {
    const kept = (name: string) => ledger.get(`scrub_last_${name}`)
    const found = isOpen()
      ? { damaged: kept('damaged'), mended: kept('mended'), lost: kept('lost') }
      : counts()
    const startedMs = kept('started_ms')
    return { startedMs, finishedMs, pieces: kept('pieces'), bytes: kept('bytes'), ...found }
  }

  /** When the next pass is due, in milliseconds from now. */
  function dueMs(): number {
    const startedMs = ledger.get('scrub_started_ms')
    return startedMs === 0 ? 0 : startedMs + everyMs - Date.now()
  }

  return {
    /** Reads a page of the present pass, or begins one that is due. Answers when to go on. */
    async step(): Promise<number> {
      if (!isOpen()) {
        if (dueMs() > 0) return Math.min(dueMs(), MAX_WAIT_MS)
        await begin(false)
      }
      const current = pass
      // A part in the middle of which a restart came is read on.
      const after = at.row > 0 ? at.id - 1 : at.id
      const page = peerEntries.heldParts(after, PAGE)
      for (const part of page) {
        const before = read.bytes
        await checkPart(part)
        if (signal.aborted) break
        if (pass !== current) return 0
        const readBytes = part.data === null ? 0 : read.bytes - before
        await pace.after(readBytes + PART_WEIGHT_BYTES, read.bytes)
        if (pass !== current) return 0
        await keep()
      }
      if (page.length === 0 && pass === current) await end()
      return 0
    },

    /** Begins a pass now, at the full pace; one that is under way is given up for it. */
    async hurry(): Promise<void> {
      await begin(true)
      pace.wake()
    },

    /** Keeps how far it is. */
    stop: () => catalog.write(applyKeep),

    state(): ScrubState {
      const startedMs = ledger.get('scrub_started_ms')
      const finishedMs = ledger.get('scrub_finished_ms')
      const isRunning = isOpen()
      const totalBytes = Math.max(read.bytes, catalog.totals().storedBytes)
      return {
        isRunning,
        isHurried: ledger.get('scrub_hurried') === 1,
        ...(startedMs === 0 ? {} : { startedMs }),
        ...read,
        ...counts(),
        totalBytes,
        ...(isRunning ? { leftMs: pace.leftMs(read.bytes) } : {}),
        ...(finishedMs === 0 ? {} : { last: lastPass(finishedMs) }),
      }
    },
  }
}
