// The MD5 of a file that arrives over many requests, perhaps through many gateways. Between two
// rows its whole state is the four words of RFC 1321 section 3.3 and the number of bytes, because a
// full row is a multiple of MD5's 64 bytes; so it can be sealed, kept and gone on with anywhere.
// node:crypto is a third faster and cannot do that: uploads in one request use it.
import { createMD5, type IHasher } from 'hash-wasm'

/** A, B, C, D, each four bytes, low-order byte first. */
export const MD5_STATE_BYTES = 16

// What hash-wasm saves: 4 bytes that name its build, the count of bytes in two words (29 low bits,
// and the rest), A to D, and 128 bytes that mean nothing between two blocks.
const COUNT_AT = 4
const WORDS_AT = 12
const LOW_BITS = 29

export class RowDigest {
  readonly #hash: IHasher

  private constructor(hash: IHasher) {
    this.#hash = hash
  }

  static async create(): Promise<RowDigest> {
    const hash = await createMD5()
    return new RowDigest(hash.init())
  }

  /** Goes on after `sizeBytes` bytes (a multiple of 64) from the state that they led to. */
  static async resume(state: Uint8Array, sizeBytes: number): Promise<RowDigest> {
    const digest = await RowDigest.create()
    const saved = Buffer.from(digest.#hash.save())
    saved.writeUInt32LE(sizeBytes % 2 ** LOW_BITS, COUNT_AT)
    saved.writeUInt32LE(Math.floor(sizeBytes / 2 ** LOW_BITS) % 2 ** 32, COUNT_AT + 4)
    saved.set(state, WORDS_AT)
    digest.#hash.load(saved)
    return digest
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  /** The state after the bytes so far, of which there must be a multiple of 64. */
  state(): Buffer {
    return Buffer.from(this.#hash.save().subarray(WORDS_AT, WORDS_AT + MD5_STATE_BYTES))
  }

  /** The MD5 of all; nothing can be added after it. */
  finish(): Buffer {
    return Buffer.from(this.#hash.digest('binary'))
  }
}
