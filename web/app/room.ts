// How much still fits, from what the nodes say of their disks. Plain arithmetic.
import type { NodeJson } from './api.ts'

/**
 * Bytes of files that still fit: every node takes half a file's bytes, so the fullest one decides,
 * of those that tell. Undefined where none does.
 */
export function roomBytes(nodes: readonly NodeJson[]): number | undefined {
  const free = nodes.flatMap(({ freeBytes, reserveBytes = 0 }) =>
    freeBytes === undefined ? [] : [Math.max(0, freeBytes - reserveBytes)],
  )
  return free.length === 0 ? undefined : 2 * Math.min(...free)
}
