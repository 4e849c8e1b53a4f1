// Counts and digests content as it streams in, and checks what was promised of it.
import { createHash } from 'node:crypto'
import { DfsError } from '@fourfold/storage-node/protocol'

export interface Promised {
  /** Plaintext bytes. */
  sizeBytes?: number | undefined
  /** 16 bytes. */
  md5?: Uint8Array | undefined
}

export class ContentDigest {
  #hash = createHash('md5')
  #promised: Promised
  sizeBytes = 0

  constructor(promised: Promised) {
    this.#promised = promised
  }

  /** @throws DfsError LENGTH_MISMATCH as soon as there are more bytes than promised */
  update(bytes: Uint8Array): void {
    this.sizeBytes += bytes.length
    if (this.sizeBytes > (this.#promised.sizeBytes ?? Number.POSITIVE_INFINITY))
      throw this.#wrongLength()
    this.#hash.update(bytes)
  }

  /** The MD5 of all. @throws DfsError LENGTH_MISMATCH, DIGEST_MISMATCH */
  finish(): Buffer {
    const { sizeBytes, md5 } = this.#promised
    if (sizeBytes !== undefined && this.sizeBytes !== sizeBytes) throw this.#wrongLength()
    const digest = this.#hash.digest()
    if (md5 !== undefined && !digest.equals(md5)) {
      const message = `The MD5 of what arrived is ${digest.toString('hex')}, not the one promised.`
      throw new DfsError('DIGEST_MISMATCH', message)
    }
    return digest
  }

  #wrongLength(): DfsError {
    const message = `${this.#promised.sizeBytes} bytes were promised and ${this.sizeBytes} arrived.`
    return new DfsError('LENGTH_MISMATCH', message)
  }
}
