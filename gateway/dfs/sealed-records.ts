// Opens many small records that were sealed one by one under one key, as `openBytes` opens each of
// them: AES-256-GCM (NIST SP 800-38D, section 7.2). The key stream of all of them is made by one
// call of AES, and all of their tags are checked by one call of GMAC.
//
// What the tags say. GHASH of quads X1 to Xn is the sum of Xi·H^(n+1-i), over GF(2^128), H being
// the hash key. A record is authentic where GHASH of its quads (context, ciphertext, lengths) is
// its tag without mask. So GHASH of these quads followed by that tag is zero; so is GHASH of all
// records written like that one after the other; and GMAC, which is GHASH and a mask of its own,
// is then the same as that of as many zeros. Each quad stands at a power of H of its own: of
// records of which any was forged, the sum is a polynomial in H that is not zero, and who does not
// know H meets one of its roots with a probability of quads / 2^128, as with one record so long.
import { createCipheriv, type KeyObject, timingSafeEqual } from 'node:crypto'
import { TAG_BYTES } from '@fourfold/storage-node/protocol'
import { NONCE_BYTES, SEAL_BYTES } from './keys.ts'
import { giveBack } from './lease.ts'

const QUAD_BYTES = 16
/** What a record is bound to: two quads. */
export const CONTEXT_BYTES = 32
const WORD_BYTES = 4
/** No tag of it is ever told to anybody, so it may be the same each time. */
const GMAC_NONCE = Buffer.alloc(NONCE_BYTES)

/** Where a record lies in a buffer: `nonce(12) ciphertext tag(16)`. */
export interface RecordPlace {
  /** Where the 32 bytes begin that the record is bound to. */
  fileAt: number
  sealedAt: number
  sealedBytes: number
}

export interface OpenedRecords {
  /** The plaintexts, each 28 bytes shorter than its record; valid until others are opened. */
  plain: Buffer
  /** By record, where its plaintext begins; -1 where it is too short to be one. */
  starts: Int32Array
}

export class RecordOpener {
  readonly #key: KeyObject
  /** For all records of one call: their counters, and what is hashed. */
  #counters = Buffer.alloc(0)
  #hashed = Buffer.alloc(0)
  #zeros = Buffer.alloc(0)
  #plain: Buffer = Buffer.alloc(0)

  constructor(key: KeyObject) {
    this.#key = key
  }

  /**
   * Undefined where key, context or bytes of any record are not the same: which, each of them
   * tells when it is opened alone.
   * @param places of the records in `bytes`; takes three times as much memory again as they are
   *   long
   */
  open(bytes: Buffer, places: readonly RecordPlace[]): OpenedRecords | undefined {
    const sealed = viewOf(bytes)
    const { quads, records } = sizeOf(places)
    this.#reserve(quads, records)
    giveBack(this.#plain)
    const counters = this.#counters.subarray(0, (quads + records) * QUAD_BYTES)
    writeCounters(viewOf(counters), sealed, places)
    const plain = this.#encrypt(counters)
    this.#plain = plain
    const hashed = this.#hashed.subarray(0, (quads + 4 * records) * QUAD_BYTES)
    const starts = decrypt(viewOf(plain), viewOf(hashed), sealed, places)
    return this.#isZero(hashed) ? { plain, starts } : undefined
  }

  #reserve(quads: number, records: number): void {
    const hashedBytes = (quads + 4 * records) * QUAD_BYTES
    if (this.#hashed.length >= hashedBytes) return
    this.#counters = Buffer.allocUnsafeSlow(hashedBytes)
    this.#hashed = Buffer.allocUnsafeSlow(hashedBytes)
    this.#zeros = Buffer.alloc(hashedBytes)
  }

  #encrypt(plain: Buffer): Buffer {
    const cipher = createCipheriv('aes-256-ecb', this.#key, null)
    cipher.setAutoPadding(false)
    return cipher.update(plain)
  }

  /** Whether GHASH of these quads is zero. */
  #isZero(quads: Buffer): boolean {
    const zeros = this.#zeros.subarray(0, quads.length)
    return timingSafeEqual(this.#gmac(quads), this.#gmac(zeros))
  }

  #gmac(quads: Buffer): Buffer {
    const cipher = createCipheriv('aes-256-gcm', this.#key, GMAC_NONCE)
    cipher.setAAD(quads)
    cipher.final()
    return cipher.getAuthTag()
  }
}

/** How many quads the ciphertexts fill, and of how many records. */
function sizeOf(places: readonly RecordPlace[]): { quads: number; records: number } {
  let quads = 0
  let records = 0
  for (const { sealedBytes } of places) {
    if (sealedBytes < SEAL_BYTES) continue
    quads += quadsOf(sealedBytes - SEAL_BYTES)
    records++
  }
  return { quads, records }
}

/** The counters of which AES makes, for each record, the mask of its tag and its key stream. */
function writeCounters(counters: DataView, sealed: DataView, places: readonly RecordPlace[]): void {
  let at = 0
  for (const { sealedAt, sealedBytes } of places) {
    if (sealedBytes < SEAL_BYTES) continue
    const first = sealed.getInt32(sealedAt)
    const second = sealed.getInt32(sealedAt + 4)
    const third = sealed.getInt32(sealedAt + 8)
    const last = 1 + quadsOf(sealedBytes - SEAL_BYTES)
    for (let counter = 1; counter <= last; counter++) {
      counters.setInt32(at, first)
      counters.setInt32(at + 4, second)
      counters.setInt32(at + 8, third)
      counters.setInt32(at + 12, counter)
      at += QUAD_BYTES
    }
  }
}

/**
 * Makes plaintexts of the key streams in `stream`, and writes what is to be hashed; answers where
 * each plaintext begins.
 */
function decrypt(
  stream: DataView,
  hashed: DataView,
  sealed: DataView,
  places: readonly RecordPlace[],
): Int32Array {
  const starts = new Int32Array(places.length).fill(-1)
  let at = 0
  let to = 0
  for (let index = 0; index < places.length; index++) {
    const { fileAt, sealedAt, sealedBytes } = places[index]!
    const lengthBytes = sealedBytes - SEAL_BYTES
    if (lengthBytes < 0) continue
    const maskAt = at
    at += QUAD_BYTES
    starts[index] = at
    for (let byte = 0; byte < CONTEXT_BYTES; byte += WORD_BYTES) {
      hashed.setInt32(to + byte, sealed.getInt32(fileAt + byte))
    }
    to += CONTEXT_BYTES
    const textAt = sealedAt + NONCE_BYTES
    const paddedBytes = quadsOf(lengthBytes) * QUAD_BYTES
    let byte = 0
    for (; byte + WORD_BYTES <= lengthBytes; byte += WORD_BYTES) {
      const word = sealed.getInt32(textAt + byte)
      hashed.setInt32(to + byte, word)
      stream.setInt32(at + byte, stream.getInt32(at + byte) ^ word)
    }
    for (; byte < paddedBytes; byte++) {
      const text = byte < lengthBytes ? sealed.getUint8(textAt + byte) : 0
      hashed.setUint8(to + byte, text)
      stream.setUint8(at + byte, stream.getUint8(at + byte) ^ text)
    }
    at += paddedBytes
    to += paddedBytes
    // The two lengths in bits, as numbers of 64 bits.
    hashed.setInt32(to, 0)
    hashed.setInt32(to + 4, CONTEXT_BYTES * 8)
    hashed.setInt32(to + 8, 0)
    hashed.setInt32(to + 12, lengthBytes * 8)
    to += QUAD_BYTES
    const tagAt = textAt + lengthBytes
    for (let word = 0; word < TAG_BYTES; word += WORD_BYTES) {
      hashed.setInt32(to + word, sealed.getInt32(tagAt + word) ^ stream.getInt32(maskAt + word))
    }
    to += QUAD_BYTES
  }
  return starts
}

function quadsOf(lengthBytes: number): number {
  return Math.ceil(lengthBytes / QUAD_BYTES)
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
