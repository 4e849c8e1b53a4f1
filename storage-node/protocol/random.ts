// Random bytes for keys, nonces and ids. The generator takes as long for twelve bytes as for four
// thousand, several microseconds, and a small upload needs some three times.
import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 4096

const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
let usedBytes = POOL_BYTES

/**
 * `lengthBytes` (at most 4096) from node:crypto's generator, in memory of their own: each is given
 * out once, and nothing of it stays behind.
 */
export function freshRandom(lengthBytes: number): Buffer {
  if (usedBytes + lengthBytes > POOL_BYTES) {
    randomFillSync(pool)
    usedBytes = 0
  }
  const given = pool.subarray(usedBytes, usedBytes + lengthBytes)
  usedBytes += lengthBytes
  const bytes = Buffer.from(given)
  given.fill(0)
  return bytes
}
