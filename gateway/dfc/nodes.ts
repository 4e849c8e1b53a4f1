// `nodes`: the health of the four nodes, with disk figures where there is a cluster key.
import type { NodeState } from '../dfs/store.ts'
import type { Command } from './grammar.ts'
import { type Session, untilAborted } from './session.ts'
import { say } from './terminal.ts'
import { sizeText, timeText, usageError, visibleText } from './voice.ts'

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
  const rows = [HEADING, ...states.map(row)]
  const widths = HEADING.map((_, at) => Math.max(...rows.map((cells) => cells[at]!.length)))
  for (const cells of rows) {
    await say(
      stdout,
      cells
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd(),
    )
  }
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
