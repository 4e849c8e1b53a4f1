// What a set of entries adds up to: the same number, whatever their order, for whoever has the
// same entries in the same states with the same parts. It is for comparing quickly, and proves
// nothing about a node that lies.
//
//   digest of an entry = m(0) + 2^32 · (m(1) mod 2^21)
//   m(seed)            = MurmurHash3_x86_32 (Austin Appleby, in the public domain) of
//                        file(16) version(16) facts(1), facts being those of changes-page.ts
//   digest of a set    = sum of its entries' digests, mod 2^53
const MODULUS = 2 ** 53
const HIGH_MODULUS = 2 ** 21
/** File id and version, and with the facts. */
const IDS_BYTES = 32
const ENTRY_BYTES = 33
const STEP = 0xe6546b64

/**
 * Adds to each of `sums` the digest that an entry has with the facts in the same place.
 * @param bytes its file id begins at `at`, and its version behind it
 */
export function addEntryDigests(
  sums: number[],
  entry: { bytes: Buffer; at: number; facts: readonly number[] },
): void {
  const { bytes, at, facts } = entry
  let low = 0
  let high = 1
  for (let offset = at; offset < at + IDS_BYTES; offset += 4) {
    const word = scrambled(bytes.readInt32LE(offset))
    low = (Math.imul(rotated(low ^ word, 13), 5) + STEP) | 0
    high = (Math.imul(rotated(high ^ word, 13), 5) + STEP) | 0
  }
  for (let index = 0; index < sums.length; index++) {
    const last = scrambled(facts[index]!) ^ ENTRY_BYTES
    const digest = finished(low ^ last) + 2 ** 32 * (finished(high ^ last) % HIGH_MODULUS)
    sums[index] = addDigests(sums[index]!, digest)
  }
}

/** Of two sets that have no entry in common, from what each of them adds up to. */
export function addDigests(a: number, b: number): number {
  // Their sum may be more than a number can hold exactly.
  return a >= MODULUS - b ? a - (MODULUS - b) : a + b
}

function scrambled(word: number): number {
  return Math.imul(rotated(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593)
}

function finished(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
