// A conf file that is wrong, seen by each program that reads it: file, line and key are named, the
// exit code is 1, nothing is started or made. What a conf may hold is tested in tests/conf.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type RunResult, run } from '../support/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'fourfold-conf-faces-'))
after(() => rmSync(folder, { recursive: true }))

const programOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** How each program is started on a conf, and by which name it complains. */
const faces: { name: string; says: string; args: (conf: string) => string[] }[] = [
  {
    name: 'dfs',
    says: 'dfs',
    args: (conf) => [
      ...[programOf('storage-node/bin/dfs.js'), join(folder, 'DFS1'), '0', '--conf', conf],
      ...['--cluster-key', join(folder, 'key')],
    ],
  },
  {
    name: 'gateway',
    says: 'fourfold',
    args: (conf) => {
      const at = ['--port', '0', '--data', join(folder, 'data')]
      return [programOf('gateway/bin/fourfold.js'), 'gateway', '--conf', conf, ...at]
    },
  },
  {
    name: 'dfc',
    says: 'dfc',
    args: (conf) => [programOf('gateway/bin/dfc.js'), conf, 'list'],
  },
]

/** What is wrong in a file of any of the three: its text, the line and the sentence. */
const wrongs: [what: string, text: string, line: number, sentence: RegExp][] = [
  [
    'a wrong type',
    '# one\n[limits]\n\nstall_timeout_ms = "soon"',
    4,
    /limits\.stall_timeout_ms must/,
  ],
  ['an unknown key', '\n\ncolour = "red"\n', 3, /colour is not a key that this file can have\./],
  ['a syntax error', '\nlimits.stall_timeout_ms = \n', 2, /this is not TOML: /],
]

function start(face: (typeof faces)[number], conf: string): Promise<RunResult> {
  const env = { DFC_USER: 'alice', DFC_PASSWORD: 'correct horse' }
  return run(process.execPath, face.args(conf), { env, cwd: folder, timeoutMs: 30_000 })
}

function assertComplaint(result: RunResult, says: string, sentence: RegExp): void {
  assert.equal(result.code, 1, result.stderr)
  assert.equal(result.stdout, '')
  assert.match(result.stderr, new RegExp(`^${says}: .+\\n${says}: hint: .+\\n$`))
  assert.match(result.stderr, sentence)
}

for (const face of faces) {
  test(`${face.name} names file, line and key of what is wrong in its conf, with code 1`, async () => {
    await Promise.all(
      wrongs.map(async ([what, text, line, sentence], index) => {
        const conf = join(folder, `${face.name}-${index}.conf`)
        writeFileSync(conf, text)
        const result = await start(face, conf)
        assertComplaint(result, face.says, sentence)
        const where = `${face.says}: ${conf}, line ${line}: `
        assert.ok(result.stderr.startsWith(where), `${what}: ${result.stderr}`)
      }),
    )
    const absent = join(folder, 'absent.conf')
    assertComplaint(await start(face, absent), face.says, /absent\.conf does not exist\./)
    assertComplaint(await start(face, folder), face.says, /is a folder\./)
    for (const made of ['DFS1', 'key', 'data']) assert.ok(!existsSync(join(folder, made)), made)
    assert.ok(readdirSync(folder).every((name) => name.endsWith('.conf')))
  })
}

test('a key of the other kind of conf is unknown, and a slip is answered with the right name', async () => {
  const [dfs, gateway] = faces as [(typeof faces)[number], (typeof faces)[number]]
  const mixed = join(folder, 'mixed.conf')
  writeFileSync(mixed, 'nodes = ["a:1", "b:1", "c:1", "d:1"]\n')
  assertComplaint(await start(dfs, mixed), 'dfs', /, line 1: nodes is not a key/)
  const slipped = join(folder, 'slipped.conf')
  writeFileSync(slipped, '[limits]\ntransfer = 5\n')
  const slip = /, line 2: limits\.transfer is not a key .* Did you mean limits\.transfers\?/
  assertComplaint(await start(gateway, slipped), 'fourfold', slip)
})

test('a cluster key file that holds no key is named, with code 1', async () => {
  writeFileSync(join(folder, 'short.conf'), 'abc')
  for (const face of faces.filter(({ name }) => name !== 'dfs')) {
    const conf = join(folder, 'key.conf')
    writeFileSync(conf, 'cluster_key_file = "short.conf"')
    const args = face.name === 'dfc' ? { ...face, args: userList } : face
    assertComplaint(await start(args, conf), face.says, /short\.conf does not hold 64 hex digits\./)
  }
})

/** Only the operator's commands of dfc need the key. */
function userList(conf: string): string[] {
  return [programOf('gateway/bin/dfc.js'), conf, 'user', 'list']
}
