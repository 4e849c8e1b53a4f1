// What a walk will do, all of it decided by the seed before it begins: rounds of operations, a few
// at a time, most rounds with one trouble in the middle. Plain data, so that a plan can be printed
// and cut down; nothing here runs anything.
import { ROW } from '../support/content.ts'
import { below, type Random, randomOf } from '../support/random.ts'
import type { Weather } from '../support/relay.ts'
import { USERS } from './arena.ts'

interface Addressed {
  /** 0 or 1. */
  gateway: number
  user: string
}

export type Operation = Addressed &
  (
    | {
        kind: 'put'
        name: string
        /** Seed of the content: another one for each put. */
        content: string
        sizeBytes: number
        condition?: 'absent' | 'match'
        hasLength: boolean
        /** How long the body takes to send, and whether the client leaves in the middle of it. */
        paceMs?: number
        isBrokenOff?: boolean
      }
    | { kind: 'get'; name: string; range?: { from: number; length: number }; paceMs?: number }
    | { kind: 'list'; prefix: string }
    | { kind: 'delete'; name: string; condition?: 'match' }
  )

export type Trouble =
  | { kind: 'kill'; nodes: number[]; signal: 'SIGKILL' | 'SIGTERM' }
  | { kind: 'stop'; nodes: number[] }
  | { kind: 'bounce'; nodes: number[] }
  | { kind: 'wipe'; nodes: number[] }
  | { kind: 'gateway'; gateway: number; signal: 'SIGKILL' | 'SIGTERM' }
  | { kind: 'weather'; gateway: number; nodes: number[]; weather: Weather }
  | { kind: 'rot'; nodes: number[]; at: number }
  | { kind: 'full'; leftBytes: number }
  /** Syncs of a node fail: all of them, or each third. */
  | { kind: 'failing'; nodes: number[]; when: '1+' | '2+3' }
  | { kind: 'short'; nodes: number[]; sizeBytes: number }

export interface Round {
  operations: Operation[]
  atOnce: number
  trouble?: Trouble
  /** The trouble begins so long after so many operations have begun. */
  afterCount: number
  delayMs: number
}

/** The node whose disk is small, and the one whose disk rots: not neighbours of each other. */
export const SMALL_DISK = 2
const ROTTEN = 4

const NAMES = ['a', 'docs/c', 'docs/deep/😀.bin', 'line\nbreak']
const PREFIXES = ['', 'docs/', 'docs/d', 'nothing/']
/** The plaintext of a file whose longest pieces just lie in the catalog. */
const INLINE = 4 * 65_536 - 16

const SMALL = [0, 1, 2, 3, 4, 5, 100, 1000, 5000, 70_000]
const EDGES = [INLINE - 1, INLINE, INLINE + 1, ROW - 1, ROW, ROW + 1]
const LARGE = [2 * ROW, 2 * ROW + 1, 3 * ROW + 7, 5 * ROW - 1, 9 * ROW + 4]

/** @param operationCount at least so many operations */
export function planOf(seed: number, operationCount: number): Round[] {
  const random = randomOf(seed)
  const rounds: Round[] = []
  for (let count = 0; count < operationCount; ) {
    const operations = Array.from({ length: 6 + below(9, random) }, (_, index) =>
      operationOf(`${seed}.${rounds.length}.${index}`, random),
    )
    if (random() < 0.2) operations.push(...raceOf(`${seed}.${rounds.length}`, random))
    const trouble = random() < 0.85 ? troubleOf(random) : undefined
    rounds.push({
      operations,
      atOnce: 2 + below(5, random),
      ...(trouble !== undefined && { trouble }),
      afterCount: below(operations.length, random),
      delayMs: below(30, random),
    })
    count += operations.length
  }
  return rounds
}

function operationOf(id: string, random: Random): Operation {
  const addressed = { gateway: below(2, random), user: oneOf(USERS, random) }
  const name = oneOf(NAMES, random)
  const dice = random()
  if (dice < 0.55) return { kind: 'put', ...addressed, name, ...putOf(id, random) }
  if (dice < 0.8) {
    const isRanged = random() < 0.4
    const range = {
      from: below(200_000, random) * below(12, random),
      length: 1 + below(ROW, random),
    }
    const paceMs = random() < 0.2 ? { paceMs: 300 + below(700, random) } : {}
    return { kind: 'get', ...addressed, name, ...(isRanged && { range }), ...paceMs }
  }
  if (dice < 0.88) return { kind: 'list', ...addressed, prefix: oneOf(PREFIXES, random) }
  const condition = random() < 0.3 ? { condition: 'match' as const } : {}
  return { kind: 'delete', ...addressed, name, ...condition }
}

function putOf(content: string, random: Random) {
  const dice = random()
  const sizeBytes = oneOf(dice < 0.6 ? SMALL : dice < 0.8 ? EDGES : LARGE, random)
  const condition = random()
  const isSlow = random() < (sizeBytes > ROW ? 0.4 : 0.1)
  return {
    content,
    sizeBytes,
    ...(condition < 0.1 && { condition: 'absent' as const }),
    ...(condition > 0.85 && { condition: 'match' as const }),
    hasLength: random() < 0.7,
    ...(isSlow && { paceMs: 100 + below(900, random) }),
    ...(random() < 0.08 && { isBrokenOff: true }),
  }
}

/** The same name created through both gateways at once: one of them must lose. */
function raceOf(id: string, random: Random): Operation[] {
  const user = oneOf(USERS, random)
  const name = `race ${below(3, random)}`
  const sizeBytes = oneOf([...SMALL, ROW + 1], random)
  const shared = { kind: 'put', user, name, sizeBytes, hasLength: true } as const
  const [one, two] = [0, 1].map((gateway) => {
    return { ...shared, gateway, content: `${id}.race${gateway}`, condition: 'absent' as const }
  })
  const { gateway, ...addressed } = { gateway: below(2, random), user, name }
  return random() < 0.5 ? [one!, two!] : [{ kind: 'delete', gateway, ...addressed }, one!, two!]
}

function troubleOf(random: Random): Trouble {
  const node = 1 + below(4, random)
  const opposite = [node, ((node + 1) % 4) + 1]
  const neighbours = [node, (node % 4) + 1]
  const nodes = random() < 0.25 ? opposite : [node]
  const gateway = below(2, random)
  const signal = random() < 0.5 ? 'SIGKILL' : 'SIGTERM'
  const dice = below(100, random)
  if (dice < 18) return { kind: 'kill', nodes, signal }
  if (dice < 22) return { kind: 'kill', nodes: neighbours, signal }
  if (dice < 36) return { kind: 'stop', nodes }
  if (dice < 42) return { kind: 'bounce', nodes }
  if (dice < 48) return { kind: 'wipe', nodes: [node] }
  if (dice < 58) return { kind: 'gateway', gateway, signal }
  if (dice < 82) return { kind: 'weather', gateway, nodes, weather: weatherOf(random) }
  if (dice < 86) return { kind: 'rot', nodes: [ROTTEN], at: random() }
  if (dice < 92) return { kind: 'failing', nodes: [node], when: random() < 0.5 ? '1+' : '2+3' }
  if (dice < 96) return { kind: 'full', leftBytes: oneOf([0, 4096, 65_536, ROW, 3 * ROW], random) }
  return { kind: 'short', nodes: [node], sizeBytes: oneOf([4096, 100_000, 300_000, ROW], random) }
}

function weatherOf(random: Random): Weather {
  const way = random() < 0.5 ? 'up' : 'down'
  const dice = random()
  if (dice < 0.25) return { kind: 'cut' }
  if (dice < 0.5) return { kind: 'silent', way: random() < 0.4 ? 'both' : way }
  if (dice < 0.65) return { kind: 'slow', bytesPerSecond: oneOf([2000, 50_000, 1_000_000], random) }
  return { kind: 'noisy', way, everyBytes: oneOf([3000, 50_000, 400_000], random) }
}

function oneOf<T>(all: readonly T[], random: Random): T {
  return all[below(all.length, random)]!
}

/** One line for each round and operation, for people. */
export function planText(rounds: readonly Round[]): string {
  return rounds
    .flatMap(({ operations, trouble, afterCount, delayMs, atOnce }, index) => {
      const when = `after ${afterCount} operations and ${delayMs} ms`
      const what = trouble === undefined ? 'no trouble' : `${JSON.stringify(trouble)} ${when}`
      const head = `round ${index}: ${what}, ${atOnce} at once`
      return [head, ...operations.map((operation) => `  ${JSON.stringify(operation)}`)]
    })
    .join('\n')
}
