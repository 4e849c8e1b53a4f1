// What several nodes' entries of one file say together: its newest version, where its copies are,
// and whether it can be read. Pure functions; who asked the nodes, and how, is not known here.
import {
  compareVersions,
  type Entry,
  NODE_COUNT,
  nodeName,
  nodesOfPart,
  partsOfNode,
} from '@fourfold/storage-node/protocol'
import type { Description } from './description.ts'
import type { FileInfo, FileState } from './store.ts'

/** What node `node` (0..3), which answered, says of a file. */
export interface NodeEntries {
  node: number
  entries: readonly Entry[]
}

/** The newest version that counts. */
export interface CurrentVersion {
  /** One node's entry of it; all nodes' are alike but for `parts` and `state`. */
  entry: Entry
  /** Every node's entry of it: where one's sealed description is damaged, another's is not. */
  copies: Entry[]
  /** Mask of the parts (bit p-1) that each node 0..3 shows; 0 where it did not answer. */
  partsHeld: number[]
}

/**
 * The newest version that any node shows as committed or deleted. A node that still shows it as
 * prepared holds its parts all the same: once committed anywhere, a version is committed.
 */
export function currentVersion(answers: readonly NodeEntries[]): CurrentVersion | undefined {
  let newest: Entry | undefined
  for (const { entries } of answers) {
    for (const entry of entries) {
      if (entry.state === 'prepared') continue
      if (newest === undefined || compareVersions(entry.version, newest.version) > 0) newest = entry
    }
  }
  if (newest === undefined) return undefined
  const partsHeld = new Array<number>(NODE_COUNT).fill(0)
  const copies: Entry[] = []
  for (const { node, entries } of answers) {
    const same = entries.find((entry) => compareVersions(entry.version, newest.version) === 0)
    if (same === undefined) continue
    partsHeld[node] = same.parts
    copies.push(same)
  }
  return { entry: newest, copies, partsHeld }
}

/** The parts (bit p-1) that node `node` (0..3) holds of a file that misses no copy. */
export function partsMask(node: number, x: number): number {
  return partsOfNode(node, x).reduce((mask, part) => mask | (1 << (part - 1)), 0)
}

/**
 * Bit 2q: the copy of quarter q on node q; bit 2q+1: on node q+1. Node n keeps quarters n-1 and n.
 */
export function copiesMask(partsHeld: readonly number[], x: number): number {
  let mask = 0
  for (let node = 0; node < NODE_COUNT; node++) {
    const [before, after] = partsOfNode(node, x)
    const held = partsHeld[node]!
    if ((held & (1 << (before - 1))) !== 0) mask |= 1 << (((node + 3) % NODE_COUNT) * 2 + 1)
    if ((held & (1 << (after - 1))) !== 0) mask |= 1 << (node * 2)
  }
  return mask
}

export interface Readability {
  state: FileState
  copies: number
  missingParts: number[]
  missingNodes: string[]
}

/** Whether the four parts can be had from `partsHeld`; `live` are the nodes (0..3) that answer. */
export function readability(
  partsHeld: readonly number[],
  x: number,
  live: readonly number[],
): Readability {
  const copies = copiesMask(partsHeld, x)
  const held = partsHeld.reduce((sum, mask) => sum | mask, 0)
  const missingParts = [1, 2, 3, 4].filter((part) => (held & (1 << (part - 1))) === 0)
  const cures = new Set(missingParts.flatMap((part) => nodesOfPart(part, x)))
  const missingNodes = [...cures].filter((node) => !live.includes(node)).sort()
  const state = missingParts.length > 0 ? 'insufficient' : copies === 0xff ? 'complete' : 'degraded'
  return { state, copies, missingParts, missingNodes: missingNodes.map(nodeName) }
}

/** The file as callers see it. */
export function fileInfo(
  description: Description,
  current: CurrentVersion,
  live: readonly number[],
): FileInfo {
  return {
    ...describedFacts(description),
    version: Buffer.from(current.entry.version).toString('hex'),
    ...readability(current.partsHeld, current.entry.x, live),
  }
}

/** What a description tells to callers. */
export function describedFacts(description: Description) {
  const { name, size, modified, type, md5, sha256 } = description
  return {
    ...{ name, sizeBytes: size, modifiedMs: modified, type },
    md5: Buffer.from(md5).toString('hex'),
    ...(sha256 !== undefined && { sha256: Buffer.from(sha256).toString('hex') }),
  }
}
