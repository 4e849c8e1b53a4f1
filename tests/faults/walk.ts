// A chaos walk: runs the rounds of a plan in an arena, with a model beside it, and checks after
// each round that the store kept its promises. A walk that fails is cut down to what still fails.
import { setTimeout as wait } from 'node:timers/promises'
import { inParallel } from '../support/watching.ts'
import { ALL_NODES, type Arena, startArena, USERS } from './arena.ts'
import { audit } from './audit.ts'
import { createModel } from './model.ts'
import { planText, type Round, SMALL_DISK, type Trouble } from './plan.ts'
import { begin } from './trouble.ts'
import { type Excuse, listing, perform, type Visit } from './visitor.ts'

/** How long a write that nobody answered for may still take effect: a gateway's longest request. */
const GRACE_MS = 4000
/** The longest wait of the gateways is a prepare's; beyond this a request hangs. */
const LIMIT_MS = 30_000
/** What was on its way through a relay when its trouble ended arrives within this. */
const SETTLE_MS = 300
/** A node measures its disk once a second. */
const DISK_SETTLE_MS = 1500
const STAGING_LIMIT_MS = 10_000

/** What happened how often, for people. */
export type Counts = Map<string, number>

export interface WalkOptions {
  /** Told a line now and then. */
  say?: (line: string) => void
  /** How long a failed walk may be cut down. Default 0: not at all. */
  shrinkMs?: number
  /** As of an arena: 1 on a quiet machine. */
  patience?: number
}

/** @throws Error with the shortest plan known to fail, and the logs' last lines */
export async function walk(rounds: readonly Round[], options: WalkOptions = {}): Promise<Counts> {
  const { say = () => {}, shrinkMs = 0, patience = 1 } = options
  const { counts, failure } = await attempt(rounds, { say, patience })
  if (failure === undefined) return counts
  const { error, logs, failedAt } = failure
  say(`round ${failedAt} failed: ${error.message}`)
  const shortest = await shortened(rounds.slice(0, failedAt + 1), { shrinkMs, say, patience })
  const message = `${error.message}\n\nthe plan:\n${planText(shortest)}\n\nthe logs:\n${logs}`
  throw new Error(message, { cause: error })
}

interface Failure {
  error: Error
  logs: string
  failedAt: number
}

async function attempt(
  rounds: readonly Round[],
  { say, patience }: { say: (line: string) => void; patience: number },
): Promise<{ counts: Counts; failure?: Failure }> {
  const counts: Counts = new Map()
  await using arena = await startArena({ smallDisk: SMALL_DISK, patience })
  if (arena.smallDisk === undefined) say('no small disk here: full disks are left out')
  const course = createCourse(arena, { counts, patience })
  for (const [index, round] of rounds.entries()) {
    try {
      await course.run(round)
      if (index === rounds.length - 1) await course.finish()
      else await course.check(index)
    } catch (error) {
      return { counts, failure: { error: error as Error, logs: arena.logs(), failedAt: index } }
    }
    say(`round ${index + 1} of ${rounds.length}: ${round.trouble?.kind ?? 'no trouble'}`)
  }
  return { counts }
}

interface Period {
  trouble: Trouble
  startMs: number
  endMs: number
}

function createCourse(arena: Arena, { counts, patience }: { counts: Counts; patience: number }) {
  const { gateways, cluster } = arena
  const periods: Period[] = []
  const tolerated = new Set<string>()
  const visit: Visit = {
    gateways,
    model: createModel(GRACE_MS * patience),
    contents: new Map(),
    limitMs: LIMIT_MS * patience,
    excuse,
    count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
  }

  function excuse(gateway: number, startMs: number): Excuse {
    const present = periods
      .filter(({ endMs }) => endMs > startMs)
      .map(({ trouble }) => trouble)
      .filter((trouble) => trouble.kind !== 'weather' || trouble.gateway === gateway)
    const touched = present.flatMap((trouble) => ('nodes' in trouble ? trouble.nodes : []))
    const impaired = new Set(touched)
    return {
      isTroubled: present.some(({ kind }) => kind !== 'rot' && kind !== 'gateway'),
      isInsufficient: [...impaired].some((node) => impaired.has((node % 4) + 1)),
      isGatewayDying: present.some((one) => one.kind === 'gateway' && one.gateway === gateway),
    }
  }

  async function run({ operations, trouble, atOnce, afterCount, delayMs }: Round): Promise<void> {
    let begun: Promise<() => Promise<void>> | undefined
    const beginTrouble = async () => {
      await wait(delayMs)
      if (trouble === undefined) return async () => {}
      const period = { trouble, startMs: performance.now(), endMs: Number.POSITIVE_INFINITY }
      periods.push(period)
      const mend = await begin(arena, trouble)
      return async () => {
        await mend()
        await arena.whenSeen(ALL_NODES)
        const settleMs = trouble.kind === 'full' ? DISK_SETTLE_MS : SETTLE_MS
        period.endMs = performance.now() + settleMs
      }
    }
    const failures: Error[] = []
    await inParallel(operations, atOnce, async (operation, index) => {
      if (index === afterCount) {
        begun = beginTrouble()
        begun.catch((error: Error) => failures.push(error))
      }
      await perform(visit, operation).catch((error: Error) => failures.push(error))
    })
    const mend = await begun?.catch(() => undefined)
    if (failures.length === 0) {
      await readSome().catch((error: Error) => failures.push(error))
    }
    await mend?.()
    if (failures.length > 0) throw failures[0]
  }

  /** While the trouble lasts: what was acknowledged reads back, where it can. */
  async function readSome(): Promise<void> {
    const names = visit.model.names().toSorted(() => Math.random() - 0.5)
    await inParallel(names.slice(0, 6), 3, (name, index) => read(name, index % 2))
  }

  async function read(key: string, gateway: number): Promise<void> {
    if (!isServed(gateway)) return
    const at = key.indexOf(':')
    const [user, name] = [key.slice(0, at), key.slice(at + 1)]
    await perform(visit, { kind: 'get', gateway, user, name })
  }

  function isServed(gateway: number): boolean {
    const { child } = gateways[gateway]!.process
    return child.exitCode === null && child.signalCode === null
  }

  /** With everything up: all that is known reads back, listings agree, nothing is left over. */
  async function check(index: number): Promise<void> {
    await readAll(index % 2)
    await listAll((index + 1) % 2)
    await requireNoStaging(periods.at(-1)?.trouble.kind === 'gateway')
  }

  async function readAll(gateway: number): Promise<void> {
    await inParallel(visit.model.names(), 3, (name) => read(name, gateway))
  }

  async function listAll(gateway: number): Promise<void> {
    for (const user of USERS) {
      const files = await listing(visit, { kind: 'list', gateway, user, prefix: '' })
      const lacking = files?.find(({ state }) => state !== 'complete')
      if (lacking === undefined) continue
      throw new Error(`${lacking.name} of ${user} is ${lacking.state} with all nodes up`)
    }
  }

  /** Uploads have ended, so their staged files must go. A gateway that died could not say so. */
  async function requireNoStaging(isExcused: boolean): Promise<void> {
    const deadlineMs = performance.now() + (isExcused ? SETTLE_MS : STAGING_LIMIT_MS)
    for (;;) {
      const left = arena.staged().filter((name) => !tolerated.has(name))
      if (left.length === 0) return
      if (performance.now() > deadlineMs) {
        if (!isExcused) throw new Error(`left in staging: ${left.join(', ')}`)
        for (const name of left) tolerated.add(name)
        visit.count('staged files left by a gateway that died')
        return
      }
      await wait(50)
    }
  }

  /** At the end, and once more after all four nodes died at once. */
  async function finish(): Promise<void> {
    await check(0)
    await readAll(1)
    await listAll(0)
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    await Promise.all(cluster.nodes.map((node) => node.start()))
    await arena.whenSeen(ALL_NODES)
    await readAll(0)
    await listAll(1)
    await checkDisks()
  }

  /** What readers cannot see: that all disks hold the same, all of it, and nothing else. */
  async function checkDisks(): Promise<void> {
    await arena.whenSettled()
    await arena.whenRepaired()
    await Promise.all(cluster.nodes.map((node) => node.kill('SIGTERM')))
    const faults = audit(cluster.nodes.map(({ folder }) => folder))
    if (faults.length > 0) throw new Error(`on the disks: ${faults.join('; ')}`)
  }

  return { run, check, finish }
}

/** Leaves out rounds, then operations, as long as what is left still fails and there is time. */
async function shortened(
  rounds: readonly Round[],
  { shrinkMs, say, patience }: Required<WalkOptions>,
): Promise<readonly Round[]> {
  const deadlineMs = performance.now() + shrinkMs
  let shortest = rounds
  const fails = async (candidate: readonly Round[]) => {
    if (candidate.length === 0 || performance.now() > deadlineMs) return false
    const { failure } = await attempt(candidate, { say: () => {}, patience })
    if (failure === undefined) return false
    shortest = candidate.slice(0, failure.failedAt + 1)
    say(`${shortest.length} rounds fail as well: ${failure.error.message.split('\n')[0]}`)
    return true
  }
  for (let size = Math.ceil(rounds.length / 2); size >= 1; size = size > 1 ? size >> 1 : 0) {
    for (let at = 0; at < shortest.length - 1; ) {
      const isShorter = await fails(
        shortest.toSpliced(at, Math.min(size, shortest.length - 1 - at)),
      )
      if (!isShorter) at += size
    }
  }
  const last = shortest.at(-1)!
  for (let at = last.operations.length - 1; at >= 0; at--) {
    const round = shortest.at(-1)!
    if (round.operations[at] === undefined) continue
    const operations = round.operations.toSpliced(at, 1)
    await fails([...shortest.slice(0, -1), { ...round, operations }])
  }
  return shortest
}
