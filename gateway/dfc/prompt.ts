// The prompt: reads lines, runs each as a command, until exit or the end of input. On a terminal
// with editing and history; from a pipe line by line, without a prompt.
import { createInterface } from 'node:readline'
import { parseCommand } from './grammar.ts'
import { run, tell } from './run.ts'
import type { Session } from './session.ts'
import { shellWords } from './shell-words.ts'
import { say } from './terminal.ts'
import { downSentence, ExitCode } from './voice.ts'

const PROMPT = 'dfc> '
const HISTORY_LINES = 200

/** Answers 0, or the code of the last command that failed where nobody sat at the prompt. */
export async function runPrompt(session: Session): Promise<number> {
  const { terminal } = session
  let lastFailure: number = ExitCode.ok
  if (terminal.canAsk) await greet(session)
  for await (const line of terminal.canAsk ? typedLines(session) : pipedLines(session)) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue
    try {
      const command = parseCommand(shellWords(line))
      if (command.verb === 'exit') break
      lastFailure = (await run(session, command)) || lastFailure
    } catch (error) {
      lastFailure = await tell(terminal, error, session)
    }
  }
  return terminal.canAsk ? ExitCode.ok : lastFailure
}

async function greet(session: Session): Promise<void> {
  const { stderr } = session.terminal
  await say(stderr, 'help shows the commands, exit leaves.')
  const store = await session.store()
  const down = store.nodes().filter(({ health }) => health !== 'up')
  const sentence = downSentence(down.map(({ name }) => name))
  if (sentence !== undefined) await say(stderr, sentence)
}

async function* pipedLines(session: Session): AsyncGenerator<string> {
  const { stdin } = session.terminal
  yield* createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY })
}

/**
 * One reader for each line: while a command runs nothing reads the terminal, so that Ctrl-C is a
 * signal again and the command may ask its own questions.
 */
async function* typedLines(session: Session): AsyncGenerator<string> {
  let history: string[] = []
  for (;;) {
    const { lines, history: newer } = await readLines(session, history)
    if (lines === undefined) return
    history = newer
    yield* lines
  }
}

/** The next line, and those that were pasted with it; no lines at the end of input. */
async function readLines(
  session: Session,
  history: string[],
): Promise<{ lines: string[] | undefined; history: string[] }> {
  const { stdin, stdout, stderr } = session.terminal
  const output = stdout.isTTY === true ? stdout : stderr
  const options = { terminal: true, historySize: HISTORY_LINES, removeHistoryDuplicates: true }
  const reader = createInterface({ input: stdin, output, ...options, history: [...history] })
  const lines: string[] = []
  let newer = history
  const { promise, resolve } = Promise.withResolvers<boolean>()
  reader.on('history', (entries: string[]) => {
    // A line with a password in it is not kept where the arrow keys bring it back.
    newer = entries.filter((entry) => !holdsPassword(entry))
  })
  reader.on('line', (line) => {
    lines.push(line)
    // A paste brings several lines in one go; the reader must not close under them.
    setImmediate(resolve, true)
  })
  reader.on('SIGINT', () => {
    // As in a shell: Ctrl-C at the prompt drops the line.
    output.write('^C\n')
    reader.write(null, { ctrl: true, name: 'e' })
    reader.write(null, { ctrl: true, name: 'u' })
    reader.prompt()
  })
  reader.on('close', () => resolve(false))
  reader.setPrompt(PROMPT)
  reader.prompt()
  const isLine = await promise
  reader.close()
  if (!isLine) output.write('\n')
  return { lines: isLine ? lines : undefined, history: newer }
}

function holdsPassword(line: string): boolean {
  try {
    const { verb, words } = parseCommand(shellWords(line))
    return words.length > (verb === 'list' || verb === 'passwd' ? 1 : verb === 'user' ? 2 : 1)
  } catch {
    return false
  }
}
