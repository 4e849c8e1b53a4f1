// The help, made from the grammar's table.
import { type VerbName, type VerbSpec, verbs } from './grammar.ts'

const USAGE = 'Usage: dfc [OPTIONS] CONF [COMMAND ...]'

/** What `dfc --help` says. */
export function fullHelp(): string {
  return [
    USAGE,
    '',
    'Stores, fetches and lists files on the four storage nodes that CONF names.',
    'Without a COMMAND, dfc opens a prompt that takes the same commands.',
    '',
    commandList(),
    '',
    'Options, before the command:',
    '  --nodes A,B,C,D      addresses (host:port) of DFS1 to DFS4, in place of those in CONF',
    "  --cluster-key FILE   the operator's key, in place of the one in CONF",
    '  --help, --version',
    '',
    'USER and PASSWORD come from the command, else from DFC_USER and DFC_PASSWORD, else from',
    '[user] in CONF; else dfc asks. The prompt remembers the last user who signed in.',
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.',
  ].join('\n')
}

/** What `help` says in the prompt. */
export function commandList(): string {
  const rows = Object.entries(verbs).map(([name, verb]) => [
    `${name} ${verb.usage}`.trim(),
    verb.what,
  ])
  const width = Math.max(
    ...rows.filter(([left]) => left!.length < 40).map(([left]) => left!.length),
  )
  const lines = rows.map(([left, what]) =>
    left!.length > width
      ? `  ${left}\n  ${' '.repeat(width)}  ${what}`
      : `  ${left!.padEnd(width)}  ${what}`,
  )
  return ['Commands (a leading - is fine):', ...lines].join('\n')
}

/** What `help put` says. */
export function verbHelp(name: VerbName): string {
  const spec: VerbSpec = verbs[name]
  const options = Object.entries(spec.options).map(
    ([option, { value, what }]) => `  ${`${option} ${value ?? ''}`.trimEnd().padEnd(18)}${what}`,
  )
  return [`${name} ${spec.usage}`.trimEnd(), spec.what, ...spec.details, ...options].join('\n')
}
