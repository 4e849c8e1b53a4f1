// The arguments of the process: which conf, what overrides it, and the words of a command, if any.
// Reads no file.
import { resolve } from 'node:path'
import type { Override } from '@fourfold/conf'
import { verbs } from './grammar.ts'
import { usageError } from './voice.ts'

export type CommandLine = { kind: 'help' } | { kind: 'version' } | RunLine

export interface RunLine {
  kind: 'run'
  /** Path of dfc.conf as typed. */
  conf: string
  overrides: Override[]
  /** Verb and words; empty for the prompt. */
  typed: string[]
}

/**
 * `dfc [--nodes A,B,C,D] [--cluster-key FILE] CONF [COMMAND ...]`
 * @throws DfsError USAGE
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const overrides: Override[] = []
  let conf: string | undefined
  for (let at = 0; at < args.length; at++) {
    const [name, inline] = splitValue(args[at]!)
    if (name === '--help' || name === '-h') return { kind: 'help' }
    if (name === '--version' || name === '-V') return { kind: 'version' }
    if (name === '--nodes' || name === '--cluster-key') {
      const value = inline ?? args[++at]
      if (value === undefined || value === '') throw usageError(`${name} needs a value.`)
      overrides.push(overrideOf(name, value))
    } else if (conf === undefined) {
      if (name.startsWith('-')) throw usageError(`dfc has no option ${name}.`)
      conf = args[at]!
    } else {
      return { kind: 'run', conf, overrides, typed: args.slice(at) }
    }
  }
  if (conf === undefined) throw usageError('dfc needs a conf file: dfc conf/dfc.conf [COMMAND ...]')
  return { kind: 'run', conf, overrides, typed: [] }
}

/** Whether a conf that does not exist is a command before which the conf was forgotten. */
export function isVerb(word: string): boolean {
  return Object.hasOwn(verbs, word.toLowerCase().replace(/^-/, ''))
}

function overrideOf(name: '--nodes' | '--cluster-key', value: string): Override {
  return name === '--nodes'
    ? { key: 'nodes', value: value.split(',').map((node) => node.trim()), from: name }
    : { key: 'cluster_key_file', value: resolve(value), from: name }
}

function splitValue(argument: string): [name: string, value: string | undefined] {
  const equals = argument.indexOf('=')
  if (!argument.startsWith('--') || equals < 0) return [argument, undefined]
  return [argument.slice(0, equals), argument.slice(equals + 1)]
}
