// Opens many small records that were sealed one by one under one key, as `openBytes` opens each of
// them: AES-256-GCM (NIST SP 800-38D, section 7.2), with the key stream of all of them made by one
// call of AES.
import { createCipheriv, type KeyObject } from 'node:crypto'
import { TAG_BYTES } from '@fourfold/storage-node/protocol'
import { Ghash, QUAD_BYTES } from './ghash.ts'
import { NONCE_BYTES, SEAL_BYTES } from './keys.ts'
import { giveBack } from './lease.ts'

/** What a record is bound to: two quads. */
export const CONTEXT_BYTES = 32
const WORD_BYTES = 4

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
  /** By record, where its plaintext begins; -1 where key, context or bytes are not the same. */
  starts: Int32Array
}

export class RecordOpener {
  readonly #key: KeyObject
  readonly #ghash: Ghash
  /** Counters, for all records of one call. */
  #counters: Buffer = Buffer.alloc(0)
  #plain: Buffer = Buffer.alloc(0)
  /** One that is put together here. */
  readonly #quad = new DataView(new ArrayBuffer(QUAD_BYTES))

  constructor(key: KeyObject) {
    this.#key = key
    this.#ghash = new Ghash(this.#encrypt(Buffer.alloc(QUAD_BYTES)))
  }

  /** @param places of the records in `bytes`; takes twice as much memory again as they are long */
  open(bytes: Buffer, places: readonly RecordPlace[]): OpenedRecords {
    const sealed = viewOf(bytes)
    giveBack(this.#plain)
    const plain = this.#encrypt(this.#countersOf(sealed, places))
    this.#plain = plain
    const stream = viewOf(plain)
    const starts = new Int32Array(places.length).fill(-1)
    let from = 0
    for (const [index, place] of places.entries()) {
      const lengthBytes = place.sealedBytes - SEAL_BYTES
      if (lengthBytes < 0) continue
      const isOpen = this.#isAuthentic(sealed, place, stream, from)
      from += QUAD_BYTES
      if (isOpen) {
        starts[index] = from
        addStream(stream, from, sealed, place.sealedAt + NONCE_BYTES, lengthBytes)
      }
      from += quadsOf(lengthBytes) * QUAD_BYTES
    }
    return { plain, starts }
  }

  #encrypt(plain: Buffer): Buffer {
    const cipher = createCipheriv('aes-256-ecb', this.#key, null)
    cipher.setAutoPadding(false)
    return cipher.update(plain)
  }

  /** Whether the tag is that of context and ciphertext; `maskAt` is where its mask begins. */
  #isAuthentic(sealed: DataView, place: RecordPlace, stream: DataView, maskAt: number): boolean {
    const ghash = this.#ghash
    const quad = this.#quad
    const textAt = place.sealedAt + NONCE_BYTES
    const tagAt = place.sealedAt + place.sealedBytes - TAG_BYTES
    const wholeQuads = Math.floor((tagAt - textAt) / QUAD_BYTES)
    const restAt = textAt + wholeQuads * QUAD_BYTES
    ghash.reset()
    ghash.update(sealed, place.fileAt, CONTEXT_BYTES / QUAD_BYTES)
    ghash.update(sealed, textAt, wholeQuads)
    if (restAt < tagAt) {
      clear(quad)
      for (let at = restAt; at < tagAt; at++) quad.setUint8(at - restAt, sealed.getUint8(at))
      ghash.update(quad, 0, 1)
    }
    // The two lengths in bits, as numbers of 64 bits.
    clear(quad)
    quad.setUint32(4, CONTEXT_BYTES * 8)
    quad.setUint32(12, (tagAt - textAt) * 8)
    ghash.update(quad, 0, 1)
    let difference = 0
    for (let word = 0; word < TAG_BYTES / WORD_BYTES; word++) {
      const at = word * WORD_BYTES
      const tag = ghash.words[word]! ^ stream.getInt32(maskAt + at)
      difference |= tag ^ sealed.getInt32(tagAt + at)
    }
    return difference === 0
  }

  /** The counters of which AES makes, for each record, the mask of its tag and its key stream. */
  #countersOf(sealed: DataView, places: readonly RecordPlace[]): Buffer {
    let count = 0
    for (const { sealedBytes } of places) {
      if (sealedBytes >= SEAL_BYTES) count += 1 + quadsOf(sealedBytes - SEAL_BYTES)
    }
    const lengthBytes = count * QUAD_BYTES
    if (this.#counters.length < lengthBytes) this.#counters = Buffer.allocUnsafeSlow(lengthBytes)
    const counters = viewOf(this.#counters)
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
    return this.#counters.subarray(0, lengthBytes)
  }
}

function clear(quad: DataView): void {
  for (let at = 0; at < QUAD_BYTES; at += WORD_BYTES) quad.setInt32(at, 0)
}

/** Adds `lengthBytes` of text to the stream at `at`. */
function addStream(
  stream: DataView,
  at: number,
  text: DataView,
  textAt: number,
  lengthBytes: number,
): void {
  let byte = 0
  for (; byte + WORD_BYTES <= lengthBytes; byte += WORD_BYTES) {
    stream.setInt32(at + byte, stream.getInt32(at + byte) ^ text.getInt32(textAt + byte))
  }
  for (; byte < lengthBytes; byte++) {
    stream.setUint8(at + byte, stream.getUint8(at + byte) ^ text.getUint8(textAt + byte))
  }
}

function quadsOf(lengthBytes: number): number {
  return Math.ceil(lengthBytes / QUAD_BYTES)
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
