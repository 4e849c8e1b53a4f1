// How much this process does at once. Two things are bounded apart: transfers, which last as long
// as their client pleases and hold one row of plaintext each at most, and rows on their way to or
// from the nodes, which hold more but only as long as the nodes take. A thousand slow clients
// therefore cost a row each, and never the places that others move their bytes through.
import { ROW_BYTES } from '@fourfold/storage-node/protocol'
import { FairGate } from './fair-gate.ts'

export interface AdmissionLimits {
  transfers: number
  user_transfers: number
  memory_mib: number
  rows: number
  waiting: number
  wait_timeout_ms: number
}

export interface TransferRequest {
  user: string
  /** Of the whole file; undefined where only the end will tell, or a row is gathered anyway. */
  sizeBytes?: number | undefined
  signal?: AbortSignal | undefined
}

export type Leave = () => void

/** Of rows: from the client to the nodes, or back. */
export type Way = 'up' | 'down'

export type Admission = ReturnType<typeof createAdmission>

/** Files up to this size have places and memory of their own, and never wait behind larger ones. */
export const SMALL_BYTES = 262_144

const MIB = 1_048_576
/** Nodes so slow that a row does not get its turn in this time are as good as gone. */
const PASSAGE_TIMEOUT_MS = 300_000
/** The share of the memory that is kept for small files. */
const SMALL_SHARE = 1 / 8

/** The gates of one process; several gateways on a machine have their own each. */
export function createAdmission(limits: AdmissionLimits) {
  const { transfers, user_transfers, memory_mib, rows, waiting, wait_timeout_ms } = limits
  const memoryBytes = memory_mib * MIB
  const queue = { waiting, waitTimeoutMs: wait_timeout_ms }
  const places = { places: transfers, placesPerUser: user_transfers, what: 'transfers' }
  const small = new FairGate({ ...queue, ...places, bytes: memoryBytes * SMALL_SHARE })
  const large = new FairGate({ ...queue, ...places, bytes: memoryBytes * (1 - SMALL_SHARE) })
  // Each transfer inside may ask for one row's passage at a time, so that none is ever refused.
  const passage = new FairGate({
    ...{ places: rows, placesPerUser: rows, what: 'rows' },
    ...{ waiting: 4 * transfers, waitTimeoutMs: PASSAGE_TIMEOUT_MS },
  })

  const gateFor = (request: TransferRequest) => (held(request).bytes <= SMALL_BYTES ? small : large)

  return {
    /**
     * A place for one transfer, for as long as it lasts.
     * @throws DfsError BUSY, ABORTED
     */
    transfer: (request: TransferRequest): Promise<Leave> => gateFor(request).enter(held(request)),

    /** As `transfer` where there is room now; else undefined. */
    tryTransfer: (request: TransferRequest): Leave | undefined =>
      gateFor(request).tryEnter(held(request)),

    /**
     * A place for rows between here and the nodes; not to be kept while a client is waited for.
     * A user's rows up and rows down take turns: those that wait to go up hold memory meanwhile.
     * @throws DfsError BUSY, ABORTED
     */
    passage(way: Way, user: string, signal: AbortSignal | undefined): Promise<Leave> {
      return passage.enter({ user: `${way} ${user}`, signal })
    },

    /** For the operator: transfers under way and waiting, and rows. */
    get state() {
      return { small: small.state, large: large.state, rows: passage.state }
    },
  }
}

/** What a transfer sets aside: a row of plaintext, or the whole of a smaller file. */
function held({ user, sizeBytes = ROW_BYTES, signal }: TransferRequest) {
  return { user, bytes: Math.min(sizeBytes, ROW_BYTES), signal }
}
