// The body of a request that adds to an upload, checked against its Upload-Checksum where it has
// one. Knows no uploads.
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Checksum } from './tus-headers.ts'

/** tus' own status for a checksum that does not match. */
const CHECKSUM_MISMATCH = 460

/**
 * `source`, whose end is a failure where its bytes are not those of the checksum.
 * @throws DfsError DIGEST_MISMATCH (460), and what `source` throws
 */
export async function* checked(
  source: AsyncIterable<Buffer>,
  { name, value }: Checksum,
): AsyncGenerator<Buffer> {
  const sum = name === 'crc32' ? crcSum() : createHash(name)
  for await (const bytes of source) {
    sum.update(bytes)
    yield bytes
  }
  if (sum.digest().equals(value)) return
  const message = `The ${name} of the bytes that arrived is not the one that was sent with them.`
  throw new DfsError('DIGEST_MISMATCH', message, { detail: { httpStatus: CHECKSUM_MISMATCH } })
}

function crcSum() {
  let sum = 0
  return {
    update(bytes: Buffer): void {
      sum = crc32(bytes, sum)
    },
    digest(): Buffer {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(sum)
      return bytes
    },
  }
}
