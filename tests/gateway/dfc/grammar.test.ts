// What may be typed to dfc, as tables: words to commands, lines to words, arguments to a run.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DfsError } from '@fourfold/storage-node/protocol'
import { parseCommandLine } from '../../../gateway/dfc/command-line.ts'
import { listWordsOf, parseCommand, targetOf, verbs } from '../../../gateway/dfc/grammar.ts'
import { fullHelp, verbHelp } from '../../../gateway/dfc/help.ts'
import { shellWords } from '../../../gateway/dfc/shell-words.ts'

function usageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    assert(error instanceof DfsError && error.code === 'USAGE', String(error))
    return error.message
  }
  assert.fail('It was understood.')
}

describe('words become commands', () => {
  const table: [
    typed: string[],
    verb: string,
    words: string[],
    options: object,
    rest?: string[],
  ][] = [
    [['put', 'a.pdf'], 'put', ['a.pdf'], {}],
    [['-put', 'a.pdf', 'alice', 'secret'], 'put', ['a.pdf', 'alice', 'secret'], {}],
    [['PUT', 'a.pdf'], 'put', ['a.pdf'], {}],
    [['put', '-', '--as', 'x/y'], 'put', ['-'], { '--as': 'x/y' }],
    [['put', '--as=x=y', 'a'], 'put', ['a'], { '--as': 'x=y' }],
    [['put', '--', '-a', '--as'], 'put', [], {}, ['-a', '--as']],
    [['put', 'a', 'alice', '-secret'], 'put', ['a', 'alice', '-secret'], {}],
    [['put', 'a', 'alice', '--secret'], 'put', ['a', 'alice', '--secret'], {}],
    [['put', 'a', 'alice', 'pw', '--as', 'b'], 'put', ['a', 'alice', 'pw'], { '--as': 'b' }],
    [['get', 'a', '-o', '-', '--force'], 'get', ['a'], { '-o': '-', '--force': true }],
    [['get', '--', '-o'], 'get', ['-o'], {}],
    [['-list'], 'list', [], {}],
    [['ls', '--json'], 'list', [], { '--json': true }],
    [['list', 'alice', '-pw'], 'list', ['alice', '-pw'], {}],
    [['rm', 'a'], 'delete', ['a'], {}],
    [['quit'], 'exit', [], {}],
    [['-exit'], 'exit', [], {}],
    [['user', 'add', 'bob', '-pw-'], 'user', ['add', 'bob', '-pw-'], {}],
  ]
  for (const [typed, verb, words, options, rest = []] of table) {
    test(typed.join(' '), () => {
      assert.deepEqual(parseCommand(typed), { verb, words, options, rest })
    })
  }
})

describe('words that mean nothing are usage errors that say why', () => {
  const table: [typed: string[], sentence: RegExp][] = [
    [['toString'], /There is no command toString\./],
    [['__proto__'], /There is no command __proto__\./],
    [['put'], /put needs a FILE\./],
    [['put', 'a', 'b'], /After b comes a PASSWORD\. Several files: put -- FILE FILE/],
    [['put', 'a', 'b', 'c', 'd'], /put takes fewer words.*put -- FILE FILE/],
    [['put', '-x'], /put has no option -x\./],
    [['put', 'a', '--as'], /--as needs a NAME\./],
    [['get', 'a', '--force=yes'], /--force takes no value\./],
    [['get', 'a', '--as', 'b'], /get has no option --as\./],
    [['get', 'a', 'alice'], /After alice comes a PASSWORD\.$/],
    [['delete'], /delete needs a FILE\./],
  ]
  for (const [typed, sentence] of table) {
    test(typed.join(' '), () => {
      assert.match(
        usageOf(() => targetOf(parseCommand(typed))),
        sentence,
      )
    })
  }
})

test('list takes a prefix, a user with a password, or all three', () => {
  const words = (...typed: string[]) => listWordsOf(parseCommand(['list', ...typed]))
  const credentials = { user: 'alice', password: 'pw' }
  assert.deepEqual(words(), { prefix: undefined, credentials: undefined })
  assert.deepEqual(words('docs/'), { prefix: 'docs/', credentials: undefined })
  assert.deepEqual(words('alice', 'pw'), { prefix: undefined, credentials })
  assert.deepEqual(words('docs/', 'alice', 'pw'), { prefix: 'docs/', credentials })
  assert.deepEqual(words('--prefix', 'd', 'alice', 'pw'), { prefix: 'd', credentials })
  assert.match(
    usageOf(() => words('d', '--prefix', 'd')),
    /given twice/,
  )
  assert.match(
    usageOf(() => words('a', 'b', 'c', 'd')),
    /fewer words/,
  )
})

describe('a line of the prompt is split as a shell splits it', () => {
  const table: [line: string, words: string[]][] = [
    ['', []],
    ['  put   a.pdf ', ['put', 'a.pdf']],
    ['put "my file.pdf"', ['put', 'my file.pdf']],
    ['put \'it is "x" \\\'', ['put', 'it is "x" \\']],
    ['put my\\ file.pdf', ['put', 'my file.pdf']],
    ['put "a\\"b" "c\\d" \\\\', ['put', 'a"b', 'c\\d', '\\']],
    ['put "" x', ['put', '', 'x']],
    ["put it\\'s", ['put', "it's"]],
    ['put a"b c"d', ['put', 'ab cd']],
    ['put 😀.bin\t$HOME *', ['put', '😀.bin', '$HOME', '*']],
  ]
  for (const [line, words] of table) {
    test(JSON.stringify(line), () => assert.deepEqual(shellWords(line), words))
  }
  test('an open quote or a last backslash is told', () => {
    assert.match(
      usageOf(() => shellWords('put "a')),
      /The quote " is not closed\./,
    )
    assert.match(
      usageOf(() => shellWords("put a'")),
      /The quote ' is not closed\./,
    )
    assert.match(
      usageOf(() => shellWords('put a\\')),
      /ends in a backslash/,
    )
  })
})

test('arguments name a conf, what overrides it, and a command', () => {
  assert.deepEqual(parseCommandLine(['--help']), { kind: 'help' })
  assert.deepEqual(parseCommandLine(['x.conf', '-h']), { kind: 'help' })
  assert.deepEqual(parseCommandLine(['--version']), { kind: 'version' })
  assert.deepEqual(parseCommandLine(['x.conf']), {
    kind: 'run',
    conf: 'x.conf',
    overrides: [],
    typed: [],
  })
  assert.deepEqual(
    parseCommandLine(['--nodes', 'a:1, b:2', 'x.conf', '--cluster-key=/k', 'put', '--help']),
    {
      kind: 'run',
      conf: 'x.conf',
      overrides: [
        { key: 'nodes', value: ['a:1', 'b:2'], from: '--nodes' },
        { key: 'cluster_key_file', value: '/k', from: '--cluster-key' },
      ],
      typed: ['put', '--help'],
    },
  )
  assert.match(
    usageOf(() => parseCommandLine([])),
    /needs a conf file/,
  )
  assert.match(
    usageOf(() => parseCommandLine(['--nodes'])),
    /--nodes needs a value/,
  )
  assert.match(
    usageOf(() => parseCommandLine(['-x'])),
    /no option -x/,
  )
})

test('the help fits a terminal of 100 columns and has a page for each command', () => {
  for (const name of Object.keys(verbs) as (keyof typeof verbs)[]) {
    assert(fullHelp().includes(`\n  ${name} `), name)
    assert(verbHelp(name).startsWith(name), name)
    for (const line of verbHelp(name).split('\n')) assert(line.length <= 100, line)
  }
  for (const line of fullHelp().split('\n')) assert(line.length <= 100, line)
})
