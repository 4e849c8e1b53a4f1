// What `?describe` tells of a file: its parts, where their copies belong, and which are there now.
import { laneBytes, laneOfPart, nodeName, nodesOfPart } from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import type { FoundFile } from './lookup.ts'
import type { FileDescription } from './store.ts'

/** Where the parts of a found file are; asks no node again. */
export function describeFile(cluster: Cluster, found: FoundFile): FileDescription {
  const { info, description, current } = found
  const { x, first, rows, rowBytes } = description
  const parts = [1, 2, 3, 4].map((part) => ({
    part,
    sizeBytes: laneBytes(laneOfPart(part, { x, first }), { sizeBytes: description.size, rowBytes }),
    copies: nodesOfPart(part, x).map((node) => {
      const isHeld = (current.partsHeld[node]! & (1 << (part - 1))) !== 0
      return { node: nodeName(node), isHere: cluster.isLive(node) ? isHeld : null }
    }),
  }))
  return { ...info, x, first, rows, rowBytes, parts }
}
