// What may be typed: the verbs, their words and options, in the prompt and as arguments alike.
// The help is made from the same table. Turns words into a command; does nothing with it.
import { usageError } from './voice.ts'

export interface VerbSpec {
  /** Words after the verb, as the help shows them. */
  usage: string
  what: string
  /** Lines of the verb's own help page. */
  details: readonly string[]
  options: Record<string, OptionSpec>
  /** Positions, from 0, of words that may begin with `-`: passwords, and commands after help. */
  dashAt?: readonly number[]
}

interface OptionSpec {
  /** Name of its value; absent for a flag. */
  value?: string
  what: string
}

/** Words without the verb, options apart. */
export interface Command {
  verb: VerbName
  words: string[]
  /** Words after `--`. */
  rest: string[]
  options: Record<string, string | true>
}

export const verbs = {
  put: {
    usage: 'FILE [USER PASSWORD]',
    what: 'Store a file; all four nodes must be up.',
    details: [
      'FILE is stored under its own name, without folders; - reads standard input.',
      'Several files: put -- FILE FILE ...',
      'A file of 16 MiB or more that broke off goes on where it was, if it has not changed.',
    ],
    options: {
      '--as': { value: 'NAME', what: 'the name in the store; / makes folders' },
      '--resume': { what: 'the same for a shorter file' },
      '--anew': { what: 'begin from the start all the same' },
    },
    dashAt: [2],
  },
  get: {
    usage: 'FILE [USER PASSWORD]',
    what: 'Fetch a file into this folder.',
    details: [
      'A get that broke off goes on where it stopped, and the MD5 of all is checked at the end.',
      'The file appears whole or not at all. One that is there is not replaced without --force;',
      'the prompt asks.',
    ],
    options: {
      '-o': { value: 'PATH', what: 'where to write; - is standard output' },
      '--force': { what: 'replace a file that is there' },
    },
    dashAt: [2],
  },
  list: {
    usage: '[PREFIX] [USER PASSWORD]',
    what: 'List files, their size, age and copies.',
    details: [
      'Two words are USER and PASSWORD, one word is PREFIX: only names that begin with it.',
      '--json writes one JSON object a line: name, sizeBytes, modifiedMs, type, md5, version,',
      'copies, state, missingParts, missingNodes.',
    ],
    options: {
      '--prefix': { value: 'PREFIX', what: 'only names that begin with this' },
      '--json': { what: 'one JSON object a line, for programs' },
    },
    dashAt: [1, 2],
  },
  delete: {
    usage: 'FILE [USER PASSWORD]',
    what: 'Delete a file; three nodes must be up.',
    details: ['There is no way back.'],
    options: {},
    dashAt: [2],
  },
  mv: {
    usage: 'OLD NEW [USER PASSWORD]',
    what: 'Give a file or folder another name; all four nodes must be up.',
    details: [
      'A NEW that ends in / is a folder that the file goes into. An OLD that ends in / is a folder:',
      'all its files get new names, one by one; where that fails, repeating it moves the rest.',
      'No content is copied. A name that is taken is not replaced without --force.',
    ],
    options: { '--force': { what: 'replace files that have the new names' } },
    dashAt: [3],
  },
  nodes: {
    usage: '',
    what: 'Show the health of the four nodes.',
    details: ['With the cluster key, also disk, repair and scrub of each node.'],
    options: { '--json': { what: 'one JSON object a line, for programs' } },
  },
  fsck: {
    usage: '[USER PASSWORD]',
    what: 'Read and verify every copy of every file.',
    details: [
      "Reads both copies of each part of the user's files, and compares checksums, seals and MD5.",
      'Ends with 0 only where all copies were read and are whole. Nodes mend what they can by',
      'themselves; nodes shows how far they are. --json writes one JSON object a line: user, name,',
      'file, sizeBytes, copies, faults, verdict.',
    ],
    options: {
      '--all': { what: "all users' files, their ciphertext; for operators" },
      '--quiet': { what: 'only files of which something is wrong' },
      '--json': { what: 'one JSON object a line, for programs' },
    },
    dashAt: [1],
  },
  scrub: {
    usage: '[NODE ...]',
    what: 'Have nodes check all that they hold, now; for operators.',
    details: [
      'NODE is DFS1 to DFS4; without one, all four. Nodes do this by themselves every month;',
      'nodes shows how far they are. What is damaged is replaced from the other copy.',
    ],
    options: {},
  },
  passwd: {
    usage: '[USER PASSWORD]',
    what: 'Change your own password.',
    details: ['The new one is asked for, or taken from DFC_NEW_PASSWORD.'],
    options: {},
    dashAt: [1],
  },
  user: {
    usage: 'add NAME [PASSWORD] | passwd NAME | remove NAME | list',
    what: "Accounts; for operators with the cluster's key.",
    details: [
      'user add NAME [PASSWORD]  make an account; without PASSWORD: DFC_PASSWORD, or asked for',
      'user passwd NAME          change a password; the old one is needed to open the files',
      'user remove NAME          remove the account and all its files',
      'user list                 show the accounts',
    ],
    options: {
      '--generate': { what: 'add: make a random password and print it' },
      '--yes': { what: 'remove: do not ask' },
    },
    dashAt: [2],
  },
  help: {
    usage: '[COMMAND]',
    what: 'Show the commands, or one of them.',
    details: [],
    options: {},
    dashAt: [0],
  },
  exit: { usage: '', what: 'Leave the prompt; quit and Ctrl-D do too.', details: [], options: {} },
} as const satisfies Record<string, VerbSpec>

export type VerbName = keyof typeof verbs

const OTHER_NAMES = new Map<string, VerbName>([
  ['quit', 'exit'],
  ['ls', 'list'],
  ['rm', 'delete'],
  ['move', 'mv'],
  ['rename', 'mv'],
  ['h', 'help'],
  ['-help', 'help'],
  ['?', 'help'],
])

/**
 * The command that `typed` (verb and words) means.
 * @throws DfsError USAGE
 */
export function parseCommand(typed: readonly string[]): Command {
  const [first = '', ...words] = typed
  const verb = verbOf(first)
  const spec: VerbSpec = verbs[verb]
  const command: Command = { verb, words: [], rest: [], options: {} }
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (word === '--') {
      command.rest = words.slice(at + 1)
      break
    }
    const [name, inline] = splitOption(word)
    const option = Object.hasOwn(spec.options, name) ? spec.options[name] : undefined
    if (option === undefined) {
      const mayDash = spec.dashAt?.includes(command.words.length) ?? false
      if (word.startsWith('-') && word !== '-' && !mayDash) {
        throw usageError(`${verb} has no option ${name}.`, verb)
      }
      command.words.push(word)
    } else if (option.value === undefined) {
      if (inline !== undefined) throw usageError(`${name} takes no value.`, verb)
      command.options[name] = true
    } else {
      const value = inline ?? words[++at]
      if (value === undefined) throw usageError(`${name} needs a ${option.value}.`, verb)
      command.options[name] = value
    }
  }
  if (command.rest.length > 0 && verb !== 'put') {
    command.words.push(...command.rest)
    command.rest = []
  }
  return command
}

/** The verb, with or without a leading `-`, in any case. */
function verbOf(word: string): VerbName {
  const name = word.toLowerCase().replace(/^-/, '')
  if (Object.hasOwn(verbs, name)) return name as VerbName
  const other = OTHER_NAMES.get(name)
  if (other !== undefined) return other
  throw usageError(`There is no command ${word}.`)
}

/** `--as=x` in two; `-o=x` stays, for a short option takes the next word. */
function splitOption(word: string): [name: string, value: string | undefined] {
  const equals = word.indexOf('=')
  if (!word.startsWith('--') || equals < 0) return [word, undefined]
  return [word.slice(0, equals), word.slice(equals + 1)]
}

export interface Target {
  name: string
  credentials: { user: string; password: string } | undefined
}

/**
 * The words of put, get and delete: `FILE` or `FILE USER PASSWORD`.
 * @throws DfsError USAGE
 */
export function targetOf(command: Command): Target {
  const [name, user, password] = command.words
  if (name === undefined) throw usageError(`${command.verb} needs a FILE.`, command.verb)
  return { name, credentials: credentialsOf(command, [user, password], command.words.length - 1) }
}

/**
 * The words of list: `[PREFIX] [USER PASSWORD]`.
 * @throws DfsError USAGE
 */
export function listWordsOf(command: Command): {
  prefix: string | undefined
  credentials: Target['credentials']
} {
  const hasPrefix = command.words.length % 2 === 1
  const [user, password] = hasPrefix ? command.words.slice(1) : command.words
  const option = command.options['--prefix']
  if (hasPrefix && option !== undefined) {
    throw usageError('The prefix is given twice, as a word and as --prefix.', command.verb)
  }
  const count = command.words.length - (hasPrefix ? 1 : 0)
  return {
    prefix: typeof option === 'string' ? option : hasPrefix ? command.words[0] : undefined,
    credentials: credentialsOf(command, [user, password], count),
  }
}

/**
 * Two words or none.
 * @throws DfsError USAGE
 */
export function credentialsOf(
  command: Command,
  [user, password]: (string | undefined)[],
  count: number,
): Target['credentials'] {
  if (count <= 0) return undefined
  if (count === 2) return { user: user!, password: password! }
  const several = command.verb === 'put' ? ' Several files: put -- FILE FILE ...' : ''
  const message =
    count === 1
      ? `After ${user} comes a PASSWORD.${several}`
      : `${command.verb} takes fewer words: ${verbs[command.verb].usage}.${several}`
  throw usageError(message, command.verb)
}
