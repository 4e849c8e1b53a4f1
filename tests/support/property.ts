// Random inputs that can be repeated: every property says its seed, and takes it back from
// FOURFOLD_SEED.
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import fc from 'fast-check'

/**
 * Runs an asynchronous or synchronous property `runCount` times; a failure names seed and
 * counterexample.
 */
export async function holds(
  t: TestContext,
  property: fc.IRawProperty<unknown>,
  runCount: number,
): Promise<void> {
  const seed = Number(process.env.FOURFOLD_SEED ?? randomInt(0x7fff_ffff))
  t.diagnostic(`seed ${seed}`)
  await fc.assert(property, { seed, numRuns: runCount })
}

/** A file of tests/vectors. */
export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'vectors', name), 'utf8')) as T
}
