// `nodes`: the health of the four nodes; where there is a cluster key, also their disk, and how far
// repair and scrub are.
import type { RepairProgress, ScrubPass, ScrubProgress } from '../dfs/node-status.ts'
import type { NodeState } from '../dfs/store.ts'
import type { Command } from './grammar.ts'
import { type Session, untilAborted } from './session.ts'
import { say } from './terminal.ts'
import {
  countText,
  durationText,
  numberText,
  sizeText,
  timeText,
  usageError,
  visibleText,
} from './voice.ts'

/** @throws DfsError, ReaderGone */
export async function nodes(
  session: Session,
  command: Command,
  signal: AbortSignal,
): Promise<void> {
  if (command.words.length > 0) throw usageError('nodes takes no words.', 'nodes')
  const { stdout } = session.terminal
  const store = await session.store(signal)
  const states = await untilAborted(store.nodesWithDisk(), signal)
  if (command.options['--json'] === true) {
    for (const state of states) await say(stdout, JSON.stringify(state))
    return
  }
  await say(stdout, tableText([HEADING, ...states.map(row)]))
  for (const { name, repair, scrub } of states) {
    if (repair !== undefined && isWorthTelling(repair)) {
      await say(stdout, `${name} repair: ${repairText(repair)}`)
    }
    if (scrub !== undefined) await say(stdout, `${name} scrub: ${scrubText(scrub)}`)
  }
}

/** A node that never lacked anything has no repair to tell of. */
function isWorthTelling({ totalCopies, lostCopies }: RepairProgress): boolean {
  return totalCopies + lostCopies > 0
}

/** `412 of 1,248 copies, 1.2 GB of 3.0 GB, about 4 min left`. */
export function repairText(repair: RepairProgress): string {
  const { state, doneCopies, totalCopies, doneBytes, totalBytes, lostCopies } = repair
  const lost = lostCopies === 0 ? [] : [`${copiesText(lostCopies)} cannot be brought back`]
  if (state === 'idle') {
    const end = repair.finishedMs === undefined ? '' : ` ${timeText(repair.finishedMs)}`
    const done = `done${end}, ${copiesText(doneCopies)}, ${sizeText(doneBytes)}`
    return [done, ...lost].join(', ')
  }
  const copies = `${numberText(doneCopies)} of ${copiesText(totalCopies)}`
  const waits = state === 'waiting' ? ['waits for the nodes that have the other copies'] : []
  const bytes = `${sizeText(doneBytes)} of about ${sizeText(totalBytes)}`
  return [copies, bytes, ...leftOf(repair), ...waits, ...lost].join(', ')
}

/** `1.2 GB of 3.0 GB read, no damage, about 12 days left; last pass done 2026-11-01 10:00`. */
export function scrubText(scrub: ScrubProgress): string {
  const { state, bytes, totalBytes, last } = scrub
  const now =
    state === 'idle'
      ? []
      : [
          `${sizeText(bytes)} of ${sizeText(totalBytes)} read`,
          ...damageOf(scrub),
          ...leftOf(scrub),
        ].join(', ')
  const before =
    last === undefined
      ? []
      : [`last pass done ${timeText(last.finishedMs)}`, ...damageOf(last)].join(', ')
  const told = [now, before].flat()
  return told.length === 0 ? 'has not begun' : told.join('; ')
}

function damageOf({ damaged, mended, lost }: Omit<ScrubPass, 'startedMs' | 'finishedMs'>) {
  if (damaged === 0) return ['no damage']
  const open = lost === 0 ? [] : [`${numberText(lost)} without another copy`]
  return [countText(damaged, 'damaged piece'), `${numberText(mended)} mended`, ...open]
}

function leftOf({ leftMs }: { leftMs?: number }): string[] {
  return leftMs === undefined ? [] : [`about ${durationText(leftMs)} left`]
}

const copiesText = (count: number) => `${numberText(count)} ${count === 1 ? 'copy' : 'copies'}`

function tableText(rows: readonly string[][]): string {
  const widths = HEADING.map((_, at) => Math.max(...rows.map((cells) => cells[at]!.length)))
  const line = (cells: string[]) => cells.map((cell, at) => cell.padEnd(widths[at]!)).join('  ')
  return rows.map((cells) => line(cells).trimEnd()).join('\n')
}

const HEADING = ['Node', 'Address', 'Health', 'Since', 'Ping', 'Stored', 'Free', '']

function row(node: NodeState): string[] {
  const health = node.isFull === true ? 'full' : node.health
  return [
    node.name,
    node.address,
    health,
    timeText(node.sinceMs),
    node.latencyMs === undefined ? '-' : `${node.latencyMs.toFixed(1)} ms`,
    node.storedBytes === undefined ? '-' : sizeText(node.storedBytes),
    node.freeBytes === undefined ? '-' : sizeText(node.freeBytes),
    node.health === 'up' || node.reason === undefined ? '' : visibleText(node.reason),
  ]
}
