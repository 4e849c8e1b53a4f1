// Short chaos walks with fixed seeds and one of chance; `npm run test:walk` takes long ones. A
// failure says the seed and the shortest plan that was found to fail.
import { type TestContext, test } from 'node:test'
import { seedFor } from '../support/random.ts'
import { planOf } from './plan.ts'
import { walk } from './walk.ts'

const STEPS = 60
const SHRINK_MS = 60_000

for (const seed of [4, 42]) {
  test(`what was acknowledged survives the troubles of walk ${seed}`, (t) => take(t, seed))
}

test('what was acknowledged survives the troubles of a random walk', (t) => take(t, seedFor(t)))

async function take(t: TestContext, seed: number): Promise<void> {
  const say = (line: string) => t.diagnostic(line)
  const counts = await walk(planOf(seed, STEPS), { say, shrinkMs: SHRINK_MS })
  const told = [...counts].sort().map(([what, count]) => `${count} × ${what.trim()}`)
  t.diagnostic(told.join(', '))
}
