// `scrub`: asks nodes to read and compare all that they hold, now. They do it by themselves;
// `nodes` shows how far they are.
import { NODE_COUNT, nodeName } from '@fourfold/storage-node/protocol'
import type { Command } from './grammar.ts'
import { type Session, untilAborted } from './session.ts'
import { say } from './terminal.ts'
import { usageError } from './voice.ts'

const NAMES = Array.from({ length: NODE_COUNT }, (_, node) => nodeName(node))

/** @throws DfsError of the first node that could not be asked, after all were */
export async function scrub(
  session: Session,
  command: Command,
  signal: AbortSignal,
): Promise<void> {
  const names = command.words.map((word) => word.toUpperCase())
  const stranger = names.find((name) => !NAMES.includes(name))
  if (stranger !== undefined) throw usageError(`There is no node ${stranger}.`, 'scrub')
  const store = await session.operatorStore(signal)
  const outcomes = await untilAborted(store.scrub(names.length > 0 ? names : NAMES), signal)
  for (const { name, error } of outcomes) {
    if (error === undefined) await say(session.terminal.stdout, `${name} checks all that it holds.`)
  }
  const failure = outcomes.find(({ error }) => error !== undefined)?.error
  if (failure !== undefined) throw failure
}
