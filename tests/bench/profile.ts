// Reads the CPU profiles that processes left behind, and says in which functions they spent their
// time.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const SHOWN = 25

interface Profile {
  nodes: {
    id: number
    callFrame: { functionName: string; url: string; lineNumber: number }
  }[]
  samples: number[]
  timeDeltas: number[]
}

/** Prints the functions with the most time of their own, of each profile in `folder`. */
export function printProfiles(folder: string): void {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'))) {
    const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile
    const who = profile.nodes.some(({ callFrame }) =>
      callFrame.url.endsWith('gateway/bin/fourfold.js'),
    )
    const times = ownTimes(profile)
    const busyMs = [...times.values()].reduce((sum, ms) => sum + ms, 0)
    console.log(`\n${who ? 'gateway' : 'node'}: ${Math.round(busyMs)} ms (${join(folder, name)})`)
    const top = [...times].sort(([, a], [, b]) => b - a).slice(0, SHOWN)
    for (const [where, ms] of top) {
      const percent = ((100 * ms) / busyMs).toFixed(1).padStart(5)
      console.log(`${percent} % ${String(Math.round(ms)).padStart(7)} ms  ${where}`)
    }
  }
}

/** Milliseconds of each function's own, but for those in which nothing ran. */
function ownTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const times = new Map<string, number>()
  for (const [at, id] of samples.entries()) {
    const { functionName, url, lineNumber } = frames.get(id)!
    if (functionName === '(idle)') continue
    const place = url === '' ? '' : ` ${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`
    const where = `${functionName || '(anonymous)'}${place}`
    times.set(where, (times.get(where) ?? 0) + timeDeltas[at]! / 1000)
  }
  return times
}
