// Content for tests: bytes from a seed, so that a failure can be repeated, and sources that stream
// them.
import { createCipheriv, createHash } from 'node:crypto'

/** `sizeBytes` bytes that no compression shortens, the same for the same seed. */
export function seededBytes(seed: string, sizeBytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes))
}

/** `bytes` as a stream of parts of at most `partBytes`. */
export async function* streamed(bytes: Uint8Array, partBytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += partBytes) yield bytes.subarray(at, at + partBytes)
}

/** All of a download, copied out of its passing buffers. */
export async function gathered(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of content) parts.push(Buffer.from(part))
  return Buffer.concat(parts)
}

export function md5Hex(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The bytes of a row: the unit that is sealed. */
export const ROW = 1_048_576
