// `delete`: one file, for good.
import { type Command, targetOf } from './grammar.ts'
import type { Session } from './session.ts'
import { say } from './terminal.ts'
import { visibleText } from './voice.ts'

/** @throws DfsError */
export async function remove(
  session: Session,
  command: Command,
  signal: AbortSignal,
): Promise<void> {
  const { name, credentials } = targetOf(command)
  const store = await session.store(signal)
  const identity = await session.identity(credentials, signal)
  await store.remove(identity, { name, signal })
  await say(session.terminal.stdout, `${visibleText(name)}: deleted`)
}
