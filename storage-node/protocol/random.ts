// Random bytes for what each small upload needs: a key, a nonce, a version. The generator takes as
// long for twelve bytes as for four thousand, several microseconds. What is seldom needed asks it.
import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 4096

const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
let usedBytes = POOL_BYTES

/**
 * A copy of `lengthBytes` from node:crypto's generator: each byte is given out once, and nothing of
 * it stays behind.
 * @throws RangeError above 4096
 */
export function freshRandom(lengthBytes: number): Buffer {
  if (lengthBytes > POOL_BYTES) throw new RangeError(`${lengthBytes} bytes are too many at once.`)
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
