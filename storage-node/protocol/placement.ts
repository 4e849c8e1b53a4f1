// Where each part of a version lives: the ring of DESIGN §3. Pure arithmetic; lanes and nodes count
// from 0 here (node 0 is DFS1), parts from 1.
import { NODE_COUNT } from './limits.ts'

/**
 * The two nodes (0..3) that keep lane `lane` (0..3) of a version whose first lane starts at
 * `first`.
 */
export function nodesOfLane(lane: number, first: number): [number, number] {
  return [modulo(lane + first), modulo(lane + first - 1)]
}

/**
 * The two lanes (0..3) that node `node` (0..3) keeps, in the order in which messages carry them.
 */
export function lanesOfNode(node: number, first: number): [number, number] {
  return [modulo(node - first), modulo(node - first + 1)]
}

/** The number (1..4) that lane `lane` gets when the content's rotation `x` is known. */
export function partOfLane(lane: number, placement: { first: number; x: number }): number {
  return modulo(lane + placement.first - placement.x) + 1
}

/** The lane (0..3) that became part `part` (1..4). */
export function laneOfPart(part: number, placement: { first: number; x: number }): number {
  return modulo(part - 1 - placement.first + placement.x)
}

/**
 * The two parts (1..4) that node `node` (0..3) keeps when the rotation is `x`: DESIGN §3's table.
 */
export function partsOfNode(node: number, x: number): [number, number] {
  return [modulo(node - x) + 1, modulo(node - x + 1) + 1]
}

/** The two nodes (0..3) that keep part `part` (1..4) when the rotation is `x`. */
export function nodesOfPart(part: number, x: number): [number, number] {
  return [modulo(part - 1 + x), modulo(part - 2 + x)]
}

/** `MD5 mod 4`: the digest read as a big-endian number, of which only the last two bits matter. */
export function rotationOf(md5: Uint8Array): number {
  return md5[md5.length - 1]! % NODE_COUNT
}

/** `DFS1` for node 0. */
export function nodeName(node: number): string {
  return `DFS${node + 1}`
}

function modulo(value: number): number {
  return ((value % NODE_COUNT) + NODE_COUNT) % NODE_COUNT
}
