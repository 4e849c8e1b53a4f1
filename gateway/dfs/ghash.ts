// GHASH, the authenticator of AES-GCM (NIST SP 800-38D, section 6.4), for whoever has thousands of
// short records under one key: node:crypto takes far longer to set itself up for one than to read
// it. The multiplication by the hash key looks each byte up in a table for its place (Shoup's
// method), as implementations do that have no instruction for it. What the cache could tell of such
// look-ups to another process of the machine is the hash key: it opens nothing, but a node that had
// it could forge a description.

const WORDS = 4
const PLACES = 16
const BYTE_VALUES = 256
const TABLE_WORDS = BYTE_VALUES * WORDS
/** Four words, a block of AES. */
export const QUAD_BYTES = 16
/** x^128 = x^7 + x^2 + x + 1 in the bit order of GCM, where the first bit is the constant term. */
const REDUCTION = 0xe1000000

export class Ghash {
  /** Of the byte value b in place i: b x^(8i) times the hash key, as four words. */
  readonly #products = new Int32Array(PLACES * TABLE_WORDS)
  readonly #state = new Int32Array(WORDS)

  /** @param hashKey sixteen zero bytes, encrypted under the key of the records */
  constructor(hashKey: Buffer) {
    const products = this.#products
    // The first bit of a byte stands for the lowest power.
    let power: Words = [0, 4, 8, 12].map((at) => hashKey.readInt32BE(at)) as Words
    for (let place = 0; place < PLACES; place++) {
      const base = place * TABLE_WORDS
      for (let bit = 128; bit > 0; bit >>= 1) {
        for (let word = 0; word < WORDS; word++) products[base + bit * WORDS + word] = power[word]!
        power = timesX(power)
      }
      for (let value = 1; value < BYTE_VALUES; value++) {
        const low = value & -value
        if (low === value) continue
        for (let word = 0; word < WORDS; word++) {
          products[base + value * WORDS + word] =
            products[base + low * WORDS + word]! ^ products[base + (value - low) * WORDS + word]!
        }
      }
    }
  }

  /** Begins anew. */
  reset(): void {
    this.#state.fill(0)
  }

  /** Takes whole quads in, from `at` on. */
  update(bytes: DataView, at: number, quadCount: number): void {
    const products = this.#products
    const state = this.#state
    let y0 = state[0]!
    let y1 = state[1]!
    let y2 = state[2]!
    let y3 = state[3]!
    for (let quad = 0; quad < quadCount; quad++) {
      const from = at + quad * QUAD_BYTES
      y0 ^= bytes.getInt32(from)
      y1 ^= bytes.getInt32(from + 4)
      y2 ^= bytes.getInt32(from + 8)
      y3 ^= bytes.getInt32(from + 12)
      let z0 = 0
      let z1 = 0
      let z2 = 0
      let z3 = 0
      for (let place = 0; place < PLACES; place++) {
        const word = place < 8 ? (place < 4 ? y0 : y1) : place < 12 ? y2 : y3
        const value = (word >>> (24 - 8 * (place & 3))) & 255
        const product = place * TABLE_WORDS + value * WORDS
        z0 ^= products[product]!
        z1 ^= products[product + 1]!
        z2 ^= products[product + 2]!
        z3 ^= products[product + 3]!
      }
      y0 = z0
      y1 = z1
      y2 = z2
      y3 = z3
    }
    state[0] = y0
    state[1] = y1
    state[2] = y2
    state[3] = y3
  }

  /** What was taken in since `reset`, as four words. */
  get words(): Int32Array {
    return this.#state
  }
}

type Words = [number, number, number, number]

function timesX([w0, w1, w2, w3]: Words): Words {
  return [
    (w0 >>> 1) ^ ((w3 & 1) === 0 ? 0 : REDUCTION),
    (w1 >>> 1) | (w0 << 31),
    (w2 >>> 1) | (w1 << 31),
    (w3 >>> 1) | (w2 << 31),
  ]
}
