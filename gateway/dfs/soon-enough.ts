// Looking a file up without waiting for a slow node: three answers are enough, for they hold every
// part, and whatever was acknowledged was confirmed by one of each two opposite nodes.
import { compareVersions } from '@fourfold/storage-node/protocol'
import type { Cluster, Outcome } from './cluster.ts'
import type { Answer } from './connection.ts'
import { currentVersion } from './file-state.ts'

export const ENOUGH_NODES = 3

export type Heard = Outcome<Answer<'lookup'>>

/**
 * What all nodes answer, or, where one is slow, the others: unless a version is being written that
 * the slow one may know to be committed.
 */
export async function soonEnough(
  { hedge }: Cluster,
  asked: readonly Promise<Heard>[],
): Promise<Heard[]> {
  const heard: Heard[] = []
  const { promise: enough, resolve } = Promise.withResolvers<void>()
  let isLate = false
  const check = () => {
    if (isLate && isEnough(heard) && hedge.take()) resolve()
  }
  for (const one of asked) {
    void one.then((outcome) => {
      heard.push(outcome)
      check()
    })
  }
  const timer = setTimeout(() => {
    isLate = true
    // What arrived while this process itself was late is taken first.
    setImmediate(check)
  }, hedge.delayMs())
  await Promise.race([Promise.all(asked), enough])
  clearTimeout(timer)
  isLate = false
  return [...heard]
}

/** What was answered when all have, or when one of them is slow. */
export async function inTime(
  { hedge }: Cluster,
  asked: readonly Promise<Heard>[],
): Promise<Heard[]> {
  const heard: Heard[] = []
  for (const one of asked) void one.then((outcome) => heard.push(outcome))
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, hedge.delayMs())
  await Promise.race([Promise.all(asked), late])
  clearTimeout(timer)
  return [...heard]
}

function isEnough(heard: readonly Heard[]): boolean {
  const answers = heard.flatMap(({ node, value }) =>
    value === undefined ? [] : [{ node, entries: value.header.entries }],
  )
  if (answers.length < ENOUGH_NODES) return false
  const current = currentVersion(answers)?.entry.version
  return answers.every(({ entries }) =>
    entries.every(({ state, version }) => {
      const isOld = current !== undefined && compareVersions(version, current) <= 0
      return state !== 'prepared' || isOld
    }),
  )
}
