// Numbers that look random and can be repeated: a seed that a test prints and takes back from
// FOURFOLD_SEED.
import { randomInt } from 'node:crypto'
import type { TestContext } from 'node:test'

/** Answers a number from 0 up to 1, another one at each call. */
export type Random = () => number

/** A new seed, or the one of FOURFOLD_SEED; printed with the test. */
export function seedFor(t: TestContext): number {
  const seed = Number(process.env.FOURFOLD_SEED ?? randomInt(0x7fff_ffff))
  t.diagnostic(`seed ${seed}`)
  return seed
}

/** Mulberry32: small, seeded, good enough to choose with. */
export function randomOf(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from 0 up to `limit`, which is not included. */
export function below(limit: number, random: Random): number {
  return Math.floor(random() * limit)
}
