// The terminal client from arguments to exit code.
import { existsSync, readFileSync } from 'node:fs'
import type { DfcConf } from '@fourfold/conf'
import { isVerb, parseCommandLine, type RunLine } from './command-line.ts'
import { type Command, parseCommand } from './grammar.ts'
import { help, run, tell } from './run.ts'
import { say, type Terminal } from './terminal.ts'
import { ExitCode, usageError } from './voice.ts'

/** Runs dfc with `args` (without node and script) and answers the exit code. Never throws. */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const line = parseCommandLine(args)
    if (line.kind === 'help') {
      const { fullHelp } = await import('./help.ts')
      await say(terminal.stdout, fullHelp())
      return ExitCode.ok
    }
    if (line.kind === 'version') {
      await say(terminal.stdout, `dfc ${version()}`)
      return ExitCode.ok
    }
    return await runLine(line, terminal)
  } catch (error) {
    return tell(terminal, error)
  }
}

async function runLine(line: RunLine, terminal: Terminal): Promise<number> {
  const command = line.typed.length === 0 ? undefined : parseScript(line.typed)
  if (command?.verb === 'help') {
    await help(terminal, command)
    return ExitCode.ok
  }
  const conf = await readConf(line)
  const { Session } = await import('./session.ts')
  await using session = new Session({ conf, terminal, isPrompt: command === undefined })
  if (command !== undefined) return await run(session, command)
  const { runPrompt } = await import('./prompt.ts')
  return await runPrompt(session)
}

async function readConf(line: RunLine): Promise<DfcConf> {
  const { dfcConfSchema, loadConf } = await import('@fourfold/conf')
  const { conf: file, overrides } = line
  if (isVerb(file) && !existsSync(file)) {
    throw usageError(`The conf file comes first: dfc conf/dfc.conf ${file} ...`)
  }
  return loadConf({ file, schema: dfcConfSchema, overrides })
}

/** `--help` after a command is its page of the help. */
function parseScript(typed: string[]): Command {
  const at = typed.findIndex((word) => word === '--help' || word === '-h')
  const end = typed.indexOf('--')
  if (at < 0 || (end >= 0 && end < at)) return parseCommand(typed)
  return { verb: 'help', words: typed.slice(0, Math.min(at, 1)), rest: [], options: {} }
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
