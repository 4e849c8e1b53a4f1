// A short chaos walk with a seed that stays, patient enough for a busy machine. Longer ones, and
// others: `npm run test:faults`, `npm run test:walk`.
import { test } from 'node:test'
import { planOf } from '../faults/plan.ts'
import { walk } from '../faults/walk.ts'

const SEED = 4
const STEPS = 40
/** What keeps a busy machine from looking like a broken one. */
const PATIENCE = 3

test('what was acknowledged survives a walk through kills, cuts, full and failing disks', {
  timeout: 300_000,
}, async (t) => {
  const plan = planOf(SEED, STEPS)
  const counts = await walk(plan, { say: (line) => t.diagnostic(line), patience: PATIENCE })
  const told = [...counts].sort().map(([what, count]) => `${count} × ${what.trim()}`)
  t.diagnostic(told.join(', '))
})
