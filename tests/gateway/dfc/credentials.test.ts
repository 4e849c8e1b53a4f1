// Who dfc acts as: which source wins, what is asked for, and that a secret is never shown.
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import {
  type CredentialSource,
  findCredentials,
  mergeSources,
} from '../../../gateway/dfc/credentials.ts'
import { askNewPassword, askYes, generatePassword } from '../../../gateway/dfc/questions.ts'
import type { Terminal } from '../../../gateway/dfc/terminal.ts'

interface FakeTerminal extends Terminal {
  stdin: PassThrough
  /** All that was shown on standard error. */
  shown(): string
  /** Types `text` as soon as `question` is shown. */
  answer(question: string, text: string): void
}

function fakeTerminal(env: Terminal['env'] = {}, canAsk = true): FakeTerminal {
  const stdin = new PassThrough()
  const stderr = new PassThrough()
  const answers: [question: string, text: string][] = []
  let shown = ''
  let readTo = 0
  stderr.on('data', (part: Buffer) => {
    shown += part
    const [question, text] = answers[0] ?? []
    if (question === undefined || !shown.slice(readTo).includes(question)) return
    readTo = shown.length
    answers.shift()
    setImmediate(() => stdin.write(text!))
  })
  return {
    stdin,
    stdout: new PassThrough(),
    stderr,
    env,
    canAsk,
    shown: () => shown,
    answer: (question, text) => answers.push([question, text]),
  }
}

describe('the first source that names a user wins, with no other user’s password', () => {
  type Row = [
    what: string,
    sources: CredentialSource[],
    user?: string | undefined,
    password?: string,
  ]
  const table: Row[] = [
    ['nothing anywhere', [{}, {}]],
    [
      'typed words first',
      [
        { user: 'a', password: '1' },
        { user: 'b', password: '2' },
      ],
      'a',
      '1',
    ],
    ['the next source', [{}, { user: 'b', password: '2' }], 'b', '2'],
    [
      'empty texts are nothing',
      [
        { user: '', password: '' },
        { user: 'b', password: '2' },
      ],
      'b',
      '2',
    ],
    ['no password of another user', [{ user: 'a' }, { user: 'b', password: '2' }], 'a'],
    ['a password of the same user', [{ user: 'A' }, { user: 'a', password: '2' }], 'A', '2'],
    ['a password without a user', [{ password: '1' }, { user: 'b', password: '2' }], 'b', '1'],
    ['only a password', [{ password: '1' }], undefined, '1'],
    ['a name that cannot be', [{ user: ':' }, { user: 'b', password: '2' }], ':'],
  ]
  for (const [what, sources, user, password] of table) {
    test(what, () => assert.deepEqual(mergeSources(sources), { user, password }))
  }
})

test('the environment goes before the conf', async () => {
  const terminal = fakeTerminal({ DFC_USER: 'alice', DFC_PASSWORD: 'from env' }, false)
  const conf = { name: 'bob', password: 'from conf' }
  assert.deepEqual(await findCredentials({ terminal, conf }), {
    user: 'alice',
    password: 'from env',
  })
  const typed = { user: 'carol', password: 'typed' }
  assert.deepEqual(await findCredentials({ typed, terminal, conf }), typed)
})

test('where nobody can be asked, it is said what to set', async () => {
  const terminal = fakeTerminal({ DFC_USER: 'alice' }, false)
  await assert.rejects(findCredentials({ terminal, conf: {} }), {
    code: 'USAGE',
    message: /There is no password: set DFC_USER and DFC_PASSWORD, or \[user\] in the conf file\./,
  })
})

test('user and password are asked for, and the password is not shown', async () => {
  const terminal = fakeTerminal()
  terminal.answer('User: ', 'alice\r')
  terminal.answer('Password: ', 'sesame\x7f\x7fam\r')
  const found = await findCredentials({ terminal, conf: {} })
  assert.deepEqual(found, { user: 'alice', password: 'sesaam' })
  assert(!terminal.shown().includes('ses'), terminal.shown())
})

test('Ctrl-C, Ctrl-D and a signal end a question', async () => {
  for (const key of ['\x03', '\x04']) {
    const terminal = fakeTerminal({ DFC_USER: 'alice' })
    terminal.answer('Password: ', key)
    await assert.rejects(findCredentials({ terminal, conf: {} }), { code: 'ABORTED' })
  }
  const terminal = fakeTerminal({ DFC_USER: 'alice' })
  const { signal } = new AbortController()
  await assert.rejects(
    findCredentials({ terminal, conf: {}, signal: AbortSignal.any([signal, AbortSignal.abort()]) }),
    { code: 'ABORTED' },
  )
})

test('a new password is typed twice, and may be mistyped', async () => {
  const terminal = fakeTerminal()
  terminal.answer('New password for bob: ', 'one-one-one\r')
  terminal.answer('Once more: ', 'two-two-two\r')
  terminal.answer('New password for bob: ', 'three-three\r')
  terminal.answer('Once more: ', 'three-three\r')
  assert.equal(await askNewPassword(terminal, 'bob'), 'three-three')
  assert.match(terminal.shown(), /dfc: These two are not the same\./)
})

test('only yes is yes', async () => {
  for (const [typed, answer] of [
    ['y', true],
    ['YES ', true],
    ['n', false],
    ['', false],
    ['yesterday', false],
  ] as const) {
    const terminal = fakeTerminal()
    terminal.answer('Replace it? [y/N] ', `${typed}\r`)
    assert.equal(await askYes(terminal, 'Replace it?'), answer)
  }
})

test('a generated password is long, readable, and another each time', () => {
  const made = new Set(Array.from({ length: 100 }, generatePassword))
  assert.equal(made.size, 100)
  for (const password of made) assert.match(password, /^([a-km-np-z2-9]{5}-){4}[a-km-np-z2-9]{5}$/)
})
