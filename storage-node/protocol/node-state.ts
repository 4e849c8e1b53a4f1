// What a node says of its own work in `status`: how far repair and scrub are. Times are
// milliseconds since 1970.
import { NODE_COUNT } from './limits.ts'
import { type Static, Type } from './shapes.ts'

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const strict = { additionalProperties: false } as const

/** How far a node is with what its peers have and it has not. */
export const RepairState = Type.Object(
  {
    /** Peers that answer. */
    peers: Type.Integer({ minimum: 0, maximum: NODE_COUNT - 1 }),
    /** All three peers' entries are known here as far as they told them, since this start. */
    isCurrent: Type.Boolean(),
    /** Parts are being fetched now. */
    isRunning: Type.Boolean(),
    /** Parts that this node should hold whole and does not, and that may still be had. */
    missingParts: count,
    /** Of these, parts that could not be had at the last try. */
    failedParts: count,
    /** Parts that cannot be had: the twin's copy is gone or damaged as well. */
    lostParts: count,
    /** Parts and bytes fetched in this repair, or in the last one; kept across restarts. */
    doneParts: count,
    doneBytes: count,
    /** What is missing, in bytes and in time; estimates. */
    leftBytes: count,
    leftMs: Type.Optional(count),
    /** When this repair, or the last one, began; when the last one ended. */
    startedMs: Type.Optional(count),
    finishedMs: Type.Optional(count),
    /** Bytes of pieces that came from peers since the process began, used or not. */
    copiedBytes: count,
  },
  strict,
)
export type RepairState = Static<typeof RepairState>

const passCounts = {
  /** Pieces that were read and compared, and their bytes. */
  pieces: count,
  bytes: count,
  /** Pieces that were not what was stored; of these, those replaced from the twin. */
  damaged: count,
  mended: count,
  /** Pieces for which there is no other copy. */
  lost: count,
}

/** How far a node is with reading all that it holds. */
export const ScrubState = Type.Object(
  {
    isRunning: Type.Boolean(),
    /** The pass was asked for: it is as fast as it may be, and not spread. */
    isHurried: Type.Boolean(),
    /** Of the present pass, or of the last one. */
    startedMs: Type.Optional(count),
    ...passCounts,
    /** Bytes of a whole pass, and when the present one will be through; estimates. */
    totalBytes: count,
    leftMs: Type.Optional(count),
    /** The last pass that came to its end. */
    last: Type.Optional(
      Type.Object({ startedMs: count, finishedMs: count, ...passCounts }, strict),
    ),
  },
  strict,
)
export type ScrubState = Static<typeof ScrubState>
