// The figures of a repair: what was brought back, what is left, how long that will take. Kept in
// the catalog, so that a restart goes on counting. Does no work itself.
import type { Catalog } from './catalog.ts'
import type { Ledger } from './ledger.ts'
import type { Log } from './log.ts'
import { pieceBytes, type RepairState, ROW_BYTES, TAG_BYTES } from './protocol/index.ts'

/** A piece of a full row. Only the last row of a part can be shorter. */
const FULL_PIECE_BYTES = pieceBytes(ROW_BYTES + TAG_BYTES, 0)
/** How long the last piece of a part is thought to be before any was seen. */
const FIRST_TAIL_BYTES = 32_768
/** What a part costs beside its bytes, as bytes: questions and a sync. */
const PART_WEIGHT_BYTES = 65_536
/** Before, an estimate would be a guess. */
const FIRST_ESTIMATE_MS = 2000

export type RepairProgress = ReturnType<typeof createRepairProgress>

export function createRepairProgress(options: { catalog: Catalog; ledger: Ledger; log: Log }) {
  const { catalog, ledger, log } = options
  /** Of this process alone: the speed is measured here. */
  const seen = { parts: 0, bytes: 0, tailBytes: 0, sinceMs: 0, copiedBytes: 0 }
  /** Bytes of parts that are on their way and not whole. */
  let partialBytes = 0

  const isOpen = () => ledger.get('repair_started_ms') > ledger.get('repair_finished_ms')

  function leftBytes(): number {
    const { parts, rows } = ledger.missing()
    const tail = seen.parts === 0 ? FIRST_TAIL_BYTES : seen.tailBytes / seen.parts
    const bytes = (rows - parts) * FULL_PIECE_BYTES + parts * tail - partialBytes
    return Math.max(0, Math.round(bytes))
  }

  function leftMs(missingParts: number): number | undefined {
    const elapsedMs = performance.now() - seen.sinceMs
    const weight = seen.bytes + partialBytes + seen.parts * PART_WEIGHT_BYTES
    if (seen.sinceMs === 0 || elapsedMs < FIRST_ESTIMATE_MS || weight === 0) return undefined
    if (missingParts === 0) return undefined
    const left = leftBytes() + missingParts * PART_WEIGHT_BYTES
    return Math.round((elapsedMs * left) / weight)
  }

  return {
    /** There is something to do: a repair begins, unless one is under way since before. */
    async begin(): Promise<void> {
      seen.sinceMs ||= performance.now()
      if (isOpen()) return
      Object.assign(seen, { parts: 0, bytes: 0, tailBytes: 0, sinceMs: performance.now() })
      await catalog.write(() => {
        const none = { repair_done_parts: 0, repair_done_bytes: 0 }
        const startedMs = Math.max(Date.now(), ledger.get('repair_finished_ms') + 1)
        ledger.applySet({ ...none, repair_started_ms: startedMs })
      })
    },

    /** Nothing is left but what cannot be had: the final statement. */
    async end(lostParts: number): Promise<void> {
      if (!isOpen()) return
      seen.sinceMs = 0
      const startedMs = ledger.get('repair_started_ms')
      const finishedMs = Math.max(Date.now(), startedMs + 1)
      await catalog.write(() => ledger.applySet({ repair_finished_ms: finishedMs }))
      const seconds = Math.round((finishedMs - startedMs) / 1000)
      const parts = ledger.get('repair_done_parts')
      const bytes = ledger.get('repair_done_bytes')
      const facts = { parts, bytes, seconds, lostParts }
      if (lostParts === 0) log.info('Repair is done: nothing is missing.', facts)
      else log.error('Repair is done: some parts are lost on both of their nodes.', facts)
    },

    /** Counts a part in the write that claims it. */
    applyDone(sizeBytes: number): void {
      partialBytes = 0
      ledger.applyAdd({ repair_done_parts: 1, repair_done_bytes: sizeBytes })
    },

    /** A part of `bytes` bytes was brought back; 0: it is no longer wanted. */
    onPart({ rows }: { rows: number }, bytes: number): void {
      partialBytes = 0
      if (bytes === 0) return
      seen.parts++
      seen.bytes += bytes
      seen.tailBytes += Math.max(0, bytes - (rows - 1) * FULL_PIECE_BYTES)
    },

    /** Bytes that came from a peer, whatever becomes of them. */
    onBytes(sizeBytes: number): void {
      seen.copiedBytes += sizeBytes
    },

    /** How much of the long part that is on its way is here. */
    onPartial(sizeBytes: number): void {
      partialBytes = sizeBytes
    },

    state(
      missingParts: number,
    ): Omit<
      RepairState,
      'peers' | 'isCurrent' | 'isRunning' | 'missingParts' | 'failedParts' | 'lostParts'
    > {
      const startedMs = ledger.get('repair_started_ms')
      const finishedMs = ledger.get('repair_finished_ms')
      const left = leftMs(missingParts)
      return {
        doneParts: ledger.get('repair_done_parts'),
        // With what is here of the part that is on its way: long ones take hours.
        doneBytes: ledger.get('repair_done_bytes') + partialBytes,
        leftBytes: missingParts === 0 ? 0 : leftBytes(),
        ...(left === undefined ? {} : { leftMs: left }),
        ...(startedMs === 0 ? {} : { startedMs }),
        ...(finishedMs === 0 ? {} : { finishedMs }),
        copiedBytes: seen.copiedBytes,
      }
    },
  }
}
