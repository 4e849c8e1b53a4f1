// Long walks by hand: `npm run test:walk -- --seed N --steps M --walks K`, and `--patience 3` on a
// busy machine. Prints what happened how often; ends with 1 and the shortest failing plan where a
// walk fails.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { planOf } from './plan.ts'
import { walk } from './walk.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(randomInt(0x7fff_ffff)) },
    steps: { type: 'string', default: '1000' },
    walks: { type: 'string', default: '1' },
    shrink: { type: 'string', default: '300' },
    patience: { type: 'string', default: '1' },
  },
})

for (let index = 0; index < Number(values.walks); index++) {
  const seed = Number(values.seed) + index
  console.log(`seed ${seed}, ${values.steps} steps`)
  try {
    const shrinkMs = Number(values.shrink) * 1000
    const patience = Number(values.patience)
    const options = { say: console.log, shrinkMs, patience }
    const counts = await walk(planOf(seed, Number(values.steps)), options)
    for (const [what, count] of [...counts].sort()) console.log(`${count} × ${what}`)
  } catch (error) {
    console.error(`seed ${seed}: ${(error as Error).message}`)
    process.exitCode = 1
  }
}
process.exit()
