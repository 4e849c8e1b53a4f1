// `npm run bench`: speed, processor time and memory of uploads, downloads and small files, next to
// what the machine can do, in the same run. Several rounds, one work after the other in each, and
// the medians of them. See the README beside this file.
import { mkdirSync, mkdtempSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { printProfiles } from './profile.ts'
import { startNginx } from './reference.ts'
import { printScale } from './scale.ts'
import { openStage } from './stage.ts'
import { printStartup } from './startup.ts'
import { judge, mediansOf } from './verdicts.ts'
import { type Figures, type Grounds, type Work, works } from './works.ts'

const MEMORY_FOLDER = '/dev/shm'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    size: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
    profile: { type: 'boolean', default: false },
    scale: { type: 'string' },
    startup: { type: 'boolean', default: false },
  },
})

const isQuick = values.quick
const roundCount = Number(values.rounds ?? (isQuick ? 1 : 3))
const chosen = works.filter(({ name }) => values.only?.includes(name) ?? true)
if (chosen.length === 0) {
  console.error(`bench: --only takes ${works.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

const profiles = values.profile ? mkdtempSync(join(tmpdir(), 'fourfold-profiles-')) : undefined
if (values.scale !== undefined) await printScale(Number(values.scale))
if (values.startup) await printStartup()
if (values.scale === undefined && !values.startup) await bench()
if (profiles !== undefined) printProfiles(profiles)

async function bench(): Promise<void> {
  mkdirSync(values.folder, { recursive: true })
  // The measured processes inherit it, and write their profiles when they are told to end.
  if (profiles !== undefined) process.env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${profiles}`
  await using disk = await openStage({ parent: values.folder, warm: 'all' })
  await using memory = await openStage({ parent: MEMORY_FOLDER, warm: 'large files' })
  delete process.env.NODE_OPTIONS
  await using nginx = await startNginx(MEMORY_FOLDER)
  const grounds: Grounds = {
    diskFolder: values.folder,
    memoryFolder: MEMORY_FOLDER,
    disk,
    memory,
    nginx,
    sizeMib: Number(values.size ?? (isQuick ? 256 : 1024)),
    smallMs: isQuick ? 2000 : 5000,
  }
  print(await measureAll(grounds))
  if (profiles === undefined) return
  const ending = [disk, memory].flatMap(({ cluster }) => [
    ...cluster.gateways.map((gateway) => gateway.kill('SIGTERM')),
    cluster.nodes[0]!.kill('SIGTERM'),
  ])
  await Promise.all(ending)
}

async function measureAll(grounds: Grounds): Promise<Map<string, Figures>> {
  const runs = new Map<string, Figures[]>(chosen.map(({ name }) => [name, []]))
  for (let round = 1; round <= roundCount; round++) {
    for (const work of chosen) {
      if (work.isOnce === true && round > 1) continue
      const figures = await attempt(work, grounds)
      if (figures !== undefined) runs.get(work.name)!.push(figures)
    }
  }
  return new Map([...runs].map(([name, all]) => [name, mediansOf(all)]))
}

/** A work that fails is said to have failed, and the others are measured all the same. */
async function attempt(work: Work, grounds: Grounds): Promise<Figures | undefined> {
  process.stderr.write(`bench: ${work.what} … `)
  try {
    const figures = await work.run(grounds)
    process.stderr.write(`${summary(figures)}\n`)
    return figures
  } catch (error) {
    process.stderr.write(`failed: ${(error as Error).message}\n`)
    process.exitCode = 1
    return undefined
  }
}

function summary({ mbs, perSecond, p99Ms, gatewayPeakMib }: Figures): string {
  if (mbs !== undefined) return `${Math.round(mbs)} MB/s`
  if (perSecond !== undefined) return `${Math.round(perSecond)}/s`
  if (p99Ms !== undefined) return `p99 ${Math.round(p99Ms)} ms`
  return gatewayPeakMib === undefined ? 'not here' : `${Math.round(gatewayPeakMib)} MiB`
}

function print(medians: ReadonlyMap<string, Figures>): void {
  const columns: [column: string, name: string, digits: number][] = [
    ['MB/s', 'mbs', 0],
    ['up MB/s', 'putMbs', 0],
    ['req/s', 'perSecond', 0],
    ['p50 ms', 'p50Ms', 2],
    ['p99 ms', 'p99Ms', 1],
    ['CPU s/GiB', 'cpu', 2],
    ['gateway', 'gatewayCpu', 2],
    ['nodes', 'nodesCpu', 2],
    ['gateway µs/req', 'gatewayUs', 0],
    ['nodes µs/req', 'nodesUs', 0],
    ['gateway MiB', 'gatewayPeakMib', 0],
    ['node MiB', 'nodePeakMib', 0],
    ['starved', 'starved', 0],
  ]
  const table = chosen.map(({ what, name }) => {
    const figures = medians.get(name) ?? {}
    const cells = columns.flatMap(([column, figure, digits]) => {
      const value = figures[figure]
      return value === undefined ? [] : [[column, Number(value.toFixed(digits))]]
    })
    return { what, ...Object.fromEntries(cells) }
  })
  console.log(`\n${availableParallelism()} cores, Node ${process.version}, ${roundCount} round(s)`)
  console.table(table)
  const verdicts = judge(medians)
  console.table(
    verdicts.map(({ what, is, target, isMet }) => ({
      what,
      is,
      target,
      '': isMet ? 'pass' : 'MISS',
    })),
  )
}
