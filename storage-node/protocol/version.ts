// The version of a file: 8 bytes of milliseconds since 1970 (big-endian) and 8 random bytes, so
// that comparing bytes orders versions by time, ties by id. Nodes treat it as opaque and ordered.
import { freshRandom } from './random.ts'

export const VERSION_BYTES = 16

/** A new version at `timeMs`, or just after `after` where a slow clock would put it before. */
export function newVersion(timeMs: number, after?: Uint8Array): Buffer {
  const version = Buffer.alloc(VERSION_BYTES)
  const floorMs = after === undefined ? 0 : versionTimeMs(after) + 1
  version.writeBigUInt64BE(BigInt(Math.max(Math.trunc(timeMs), floorMs)), 0)
  freshRandom(8).copy(version, 8)
  return version
}

/**
 * The version that follows at once: newer than `version`, older than or the same as whatever else
 * is newer. A tombstone with it ends that version alone.
 */
export function versionAfter(version: Uint8Array): Buffer {
  const next = Buffer.from(version)
  for (let at = VERSION_BYTES - 1; at >= 0; at--) {
    next[at] = (next[at]! + 1) & 0xff
    if (next[at] !== 0) break
  }
  return next
}

/** Milliseconds since 1970 that `version` records. */
export function versionTimeMs(version: Uint8Array): number {
  const view = Buffer.from(version.buffer, version.byteOffset, version.byteLength)
  return Number(view.readBigUInt64BE(0))
}

/** Below zero where `a` is older than `b`, zero where they are the same, above zero where newer. */
export function compareVersions(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}
