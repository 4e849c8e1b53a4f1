// What to do when a row does not open: a disk or the network damaged a piece of it, or a node lied.
// Both copies of each piece are fetched anew, checked by the nodes (which have a damaged one
// repaired) and on the way, and every combination is tried.
import {
  DfsError,
  type Entry,
  NODE_COUNT,
  nodeName,
  partOfLane,
} from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import type { Identity } from './identity.ts'
import { laneSources } from './lane-reader.ts'

export interface TwinsRequest {
  cluster: Cluster
  identity: Identity
  entry: Entry
  partsHeld: readonly number[]
  row: number
  /** Opens a sealed row made of these four pieces, or answers undefined. */
  open(pieces: readonly Buffer[]): Buffer[] | undefined
  /** Told the name of each node whose copy was wrong. */
  onLiar(node: string): void
}

interface Copy {
  node: number
  piece: Buffer
}

/** The plaintext of the row, in slices. @throws DfsError DAMAGED where no combination opens */
export async function openFromTwins(request: TwinsRequest): Promise<Buffer[]> {
  const lanes = await Promise.all([0, 1, 2, 3].map((lane) => copiesOf(lane, request)))
  for (let choice = 0; choice < 1 << NODE_COUNT; choice++) {
    const chosen = lanes.map((copies, lane) => copies[(choice >> lane) & 1])
    if (chosen.some((copy) => copy === undefined)) continue
    const plain = request.open(chosen.map((copy) => copy!.piece))
    if (plain === undefined) continue
    for (const { node, piece } of lanes.flat()) {
      if (chosen.some((right) => right!.piece.equals(piece))) continue
      request.cluster.hedge.lost(node)
      request.onLiar(nodeName(node))
    }
    return plain
  }
  const message = `Row ${request.row} of the file does not open with any copy of its parts.`
  throw new DfsError('DAMAGED', message)
}

async function copiesOf(lane: number, request: TwinsRequest): Promise<Copy[]> {
  const { cluster, identity, entry, row, partsHeld } = request
  const { file, version } = entry
  const part = partOfLane(lane, entry)
  const outcomes = await cluster.callEach(laneSources(lane, entry, partsHeld), () => ({
    op: 'read',
    fields: { file, version, part, from: row, to: row + 1 },
    as: { by: 'user', identity },
  }))
  return outcomes.flatMap(({ node, value }) => {
    if (value !== undefined) return [{ node, piece: value.body[0]! }]
    // Whatever it failed for, the next rows are asked of its twin.
    cluster.hedge.lost(node)
    return []
  })
}
