// Counts and digests content as it streams in, and checks what was promised of it. The first row is
// digested as it comes; of a larger file all rows are moved to a thread where one is free.
import { createHash } from 'node:crypto'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { DigestSeat, DigestThreads } from './digest-threads.ts'
import { giveBack } from './lease.ts'

export interface Promised {
  /** Plaintext bytes. */
  sizeBytes?: number | undefined
  /** 16 bytes. */
  md5?: Uint8Array | undefined
}

export class ContentDigest implements Disposable {
  readonly #hash = createHash('md5')
  readonly #promised: Promised
  readonly #threads: DigestThreads
  #seat: DigestSeat | undefined
  /** The last row that the thread got. */
  #moved: Promise<void> | undefined
  #isDecided = false
  sizeBytes = 0

  constructor(promised: Promised, threads: DigestThreads) {
    this.#promised = promised
    this.#threads = threads
  }

  /** @throws DfsError LENGTH_MISMATCH as soon as there are more bytes than promised */
  count(bytes: Uint8Array): void {
    this.sizeBytes += bytes.length
    if (this.sizeBytes > (this.#promised.sizeBytes ?? Number.POSITIVE_INFINITY))
      throw this.#wrongLength()
  }

  /** Takes bytes of a row as they come into it. */
  update(bytes: Uint8Array): void {
    if (this.#seat === undefined) this.#hash.update(bytes)
  }

  /** The MD5 of what came so far; only in the first row. */
  soFar(): Buffer {
    return this.#hash.copy().digest()
  }

  /**
   * Takes the plaintext of a row that was sealed; its memory is given back, here or by the thread.
   * Resolves when the row before it is digested, so that the thread has no more than two.
   */
  async take(slices: Buffer[]): Promise<void> {
    if (!this.#isDecided) this.#seat = this.#threads.open()
    this.#isDecided = true
    if (this.#seat === undefined) {
      for (const slice of slices) giveBack(slice)
      return
    }
    const before = this.#moved
    this.#moved = this.#seat.update(slices)
    // Whoever waits for it next is told; an upload that ends before that has its own reason.
    this.#moved.catch(() => {})
    await before
  }

  /** The MD5 of all. @throws DfsError LENGTH_MISMATCH, DIGEST_MISMATCH, INTERNAL */
  async finish(): Promise<Buffer> {
    const { sizeBytes, md5 } = this.#promised
    if (sizeBytes !== undefined && this.sizeBytes !== sizeBytes) throw this.#wrongLength()
    const digest = this.#seat === undefined ? this.#hash.digest() : await this.#seat.finish()
    if (md5 !== undefined && !digest.equals(md5)) {
      const message = `The MD5 of what arrived is ${digest.toString('hex')}, not the one promised.`
      throw new DfsError('DIGEST_MISMATCH', message)
    }
    return digest
  }

  /** Leaves the thread, however the upload ended. */
  [Symbol.dispose](): void {
    this.#seat?.[Symbol.dispose]()
  }

  #wrongLength(): DfsError {
    const message = `${this.#promised.sizeBytes} bytes were promised and ${this.sizeBytes} arrived.`
    return new DfsError('LENGTH_MISMATCH', message)
  }
}
