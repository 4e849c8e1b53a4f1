// What a set of entries adds up to: the published hash, in any order.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addDigests, addEntryDigests } from '../../../storage-node/protocol/index.ts'
import { holds } from '../../support/property.ts'

const WORD = 0xffffffffn

/** MurmurHash3_x86_32 as published, of bytes of any length. */
function murmur(bytes: Uint8Array, seed: number): number {
  const times = (a: bigint, b: bigint) => (a * b) & WORD
  const rotated = (word: bigint, bits: bigint) => ((word << bits) | (word >> (32n - bits))) & WORD
  const scrambled = (word: bigint) => times(rotated(times(word, 0xcc9e2d51n), 15n), 0x1b873593n)
  let hash = BigInt(seed)
  const wholeBytes = bytes.length - (bytes.length % 4)
  const wordAt = (from: number, to: number) =>
    bytes.slice(from, to).reduceRight((word, byte) => (word << 8n) | BigInt(byte), 0n)
  for (let at = 0; at < wholeBytes; at += 4) {
    hash = rotated(hash ^ scrambled(wordAt(at, at + 4)), 13n)
    hash = (times(hash, 5n) + 0xe6546b64n) & WORD
  }
  hash ^= scrambled(wordAt(wholeBytes, bytes.length))
  hash ^= BigInt(bytes.length)
  hash = times(hash ^ (hash >> 16n), 0x85ebca6bn)
  hash = times(hash ^ (hash >> 13n), 0xc2b2ae35n)
  return Number(hash ^ (hash >> 16n))
}

function expectedDigest(entry: Uint8Array): bigint {
  return BigInt(murmur(entry, 0)) + (BigInt(murmur(entry, 1) % 2 ** 21) << 32n)
}

test('the hash that is meant is the published one', () => {
  const text = (words: string) => Buffer.from(words)
  assert.equal(murmur(text(''), 0), 0)
  assert.equal(murmur(text(''), 1), 0x514e28b7)
  assert.equal(murmur(text('test'), 0), 0xba6bd213)
  assert.equal(murmur(text('Hello, world!'), 0), 0xc0363e43)
  assert.equal(murmur(text('The quick brown fox jumps over the lazy dog'), 0), 0x2e4ff723)
})

test('the digest of a set is the sum of its entries, in any order and cut anywhere', async (t) => {
  const entry = fc.uint8Array({ minLength: 33, maxLength: 33 })
  const property = fc.property(fc.array(entry, { maxLength: 20 }), fc.nat(20), (entries, cut) => {
    const expected = entries.reduce((sum, one) => sum + expectedDigest(one), 0n) % 2n ** 53n
    const sumOf = (some: Uint8Array[]) => {
      const sums = [0, 0]
      for (const one of some) {
        const bytes = Buffer.concat([Buffer.alloc(3), one])
        addEntryDigests(sums, { bytes, at: 3, facts: [one[32]!, one[32]! ^ 1] })
      }
      return sums[0]!
    }
    assert.equal(BigInt(sumOf(entries)), expected)
    assert.equal(BigInt(sumOf(entries.toReversed())), expected)
    assert.equal(
      BigInt(addDigests(sumOf(entries.slice(0, cut)), sumOf(entries.slice(cut)))),
      expected,
    )
  })
  await holds(t, property, 300)
})
