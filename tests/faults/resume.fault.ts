// 200 uploads with the real tus-js-client that break off and go on at random points, with gateways
// killed, others taking over and nodes restarted: every file is right, and nothing else is left.
import { after, before, test } from 'node:test'
import { below, randomOf, seedFor } from '../support/random.ts'
import { startTrials, type Trials } from '../support/resume-trials.ts'

const COUNT = Number(process.env.FOURFOLD_TRIALS ?? 200)

let trials: Trials

before(async () => {
  trials = await startTrials()
})

after(() => trials[Symbol.asyncDispose]())

test(`${COUNT} uploads break off and go on, and every file is right`, async (t) => {
  const random = randomOf(seedFor(t))
  const counts = new Map<string, number>()
  for (let index = 0; index < COUNT; index++) {
    for (const trouble of await trials.run(below(0x7fff_ffff, random))) {
      counts.set(trouble, (counts.get(trouble) ?? 0) + 1)
    }
  }
  for (const [trouble, count] of counts) t.diagnostic(`${count} × ${trouble}`)
  await trials.checkNothingLeft()
})
