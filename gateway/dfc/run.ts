// Runs one command: finds its verb, lets Ctrl-C stop it, and tells of its failure. The prompt and
// the script mode both end here.
import { type Command, parseCommand, type VerbName, verbs } from './grammar.ts'
import { interruptible } from './interrupt.ts'
import type { Session } from './session.ts'
import { ReaderGone, say, type Terminal } from './terminal.ts'
import { ExitCode, errorLines, exitCodeOf, usageError } from './voice.ts'

type Run = (session: Session, command: Command, signal: AbortSignal) => Promise<void>

/** Each verb is loaded when it is used: a short command starts sooner. */
const runners: Record<Exclude<VerbName, 'help' | 'exit'>, () => Promise<Run>> = {
  put: async () => (await import('./put.ts')).put,
  get: async () => (await import('./get.ts')).get,
  list: async () => (await import('./list.ts')).list,
  delete: async () => (await import('./delete.ts')).remove,
  mv: async () => (await import('./move.ts')).move,
  nodes: async () => (await import('./nodes.ts')).nodes,
  fsck: async () => (await import('./fsck.ts')).fsck,
  scrub: async () => (await import('./scrub.ts')).scrub,
  passwd: async () => (await import('./accounts.ts')).passwd,
  user: async () => (await import('./accounts.ts')).user,
}

/** Runs `command` to its end and answers the exit code; failures are told on standard error. */
export async function run(session: Session, command: Command): Promise<number> {
  try {
    if (command.verb === 'exit') return ExitCode.ok
    if (command.verb === 'help') await help(session.terminal, command)
    else {
      const runner = await runners[command.verb]()
      await interruptible((signal) => runner(session, command, signal))
    }
    return ExitCode.ok
  } catch (error) {
    session.noteFailure(error)
    return tell(session.terminal, error, session)
  }
}

/** Writes what `help` and `help VERB` show. */
export async function help(terminal: Terminal, command: Command): Promise<void> {
  const { commandList, verbHelp } = await import('./help.ts')
  const [word] = command.words
  if (word === undefined) return say(terminal.stdout, commandList())
  const { verb } = parseCommand([word])
  if (!Object.hasOwn(verbs, verb)) throw usageError(`There is no command ${word}.`)
  return say(terminal.stdout, verbHelp(verb))
}

/** Tells of a failure and answers its exit code. */
export async function tell(terminal: Terminal, error: unknown, session?: Session): Promise<number> {
  if (error instanceof ReaderGone) return ExitCode.ok
  const lines = errorLines(error, session?.nodes())
  await say(terminal.stderr, lines.join('\n')).catch(() => {})
  return exitCodeOf(error)
}
