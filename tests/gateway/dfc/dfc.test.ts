// dfc against four real nodes: what goes in comes out, what fails says so, scripts and prompt
// alike.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { ROW, seededBytes } from '../../support/content.ts'
import { type DfcOptions, type DfcResult, runDfc } from './run-dfc.ts'

const ALICE = { DFC_USER: 'alice', DFC_PASSWORD: 'wonderland' }
let cluster: TestCluster

before(async () => {
  cluster = await startCluster()
  await cluster.addUser('alice', 'wonderland')
})
after(() => cluster[Symbol.asyncDispose]())

function newFolder(): string {
  const folder = join(cluster.folder, `here-${randomUUID()}`)
  mkdirSync(folder)
  return folder
}

/** Runs dfc as alice, in a folder of its own unless told. */
function dfc(args: string[], options: Partial<DfcOptions> = {}): Promise<DfcResult> {
  return runDfc([cluster.dfcConfFile, ...args], { env: ALICE, cwd: newFolder(), ...options })
}

/** Runs dfc and expects success in silence; answers standard output as text. */
async function good(args: string[], options: Partial<DfcOptions> = {}): Promise<string> {
  const { code, out, err } = await dfc(args, options)
  assert.deepEqual({ code, err }, { code: 0, err: '' })
  return out.toString()
}

const contentOf = (size: number) => seededBytes(`size ${size}`, size)

test('files of every awkward size come back as they went', async () => {
  const cwd = newFolder()
  const sizes = [0, 1, 3, 5, ROW - 1, ROW, ROW + 1, 4 * ROW + 7]
  const names = sizes.map((size) => `${size}.bin`)
  for (const size of sizes) writeFileSync(join(cwd, `${size}.bin`), contentOf(size))
  const stored = await good(['put', '--', ...names], { cwd })
  assert.match(stored, /^0\.bin: 0 B, on all four nodes\n1\.bin: 1 B, on all four nodes\n/)
  mkdirSync(join(cwd, 'back'))
  await good([], { cwd, input: names.map((name) => `get ${name} -o back\n`).join('') })
  for (const size of sizes) {
    assert.deepEqual(readFileSync(join(cwd, 'back', `${size}.bin`)), contentOf(size))
  }
  assert.equal(readdirSync(join(cwd, 'back')).length, sizes.length)
})

test('pipes in and out carry every byte', async () => {
  for (const size of [0, ROW + 1, 5 * ROW]) {
    await good(['put', '-', '--as', 'piped.bin'], { input: contentOf(size) })
    const { out } = await dfc(['get', 'piped.bin', '-o', '-'])
    assert.deepEqual(out, contentOf(size))
  }
})

test('mv gives files and folders other names, and replaces only with --force', async () => {
  const cwd = newFolder()
  for (const name of ['one', 'two']) writeFileSync(join(cwd, name), name)
  const script = [
    'put one --as "mv a"',
    'put two --as mv/in/two',
    'mv "mv a" "mv b"',
    'mv "mv b" mv/',
    'rename mv/ moved',
    'mv --force "moved/mv b" moved/in/two',
    'get moved/in/two -o back',
    'put one --as taken',
  ]
  const said = await good([], { cwd, input: script.map((line) => `${line}\n`).join('') })
  assert.match(said, /^mv a: now mv b\nmv b: now mv\/mv b\nmv\/: 2 files, now in moved\/\n/m)
  assert.equal(readFileSync(join(cwd, 'back'), 'utf8'), 'one')
  const taken = await dfc(['mv', 'taken', 'moved/in/two'])
  assert.equal(taken.code, 1)
  assert.match(taken.err, /^dfc: There is a file of that name already\.\ndfc: hint: .*--force/)
  assert.equal((await dfc(['mv', 'taken'])).code, 2)
})

test('any legal name is stored, listed on one line, fetched and deleted', async () => {
  const names = ['😀.bin', 'new\nline', `it's "x" %2F`, '-', '--as', 'a/b/c', 'ß'.repeat(255)]
  await cluster.addUser('names', 'names-names')
  const env = { DFC_USER: 'names', DFC_PASSWORD: 'names-names' }
  for (const name of names) {
    await good(['put', '-', '--as', name], { input: name, env })
    const { out } = await dfc(['get', '-o', '-', '--', name], { env })
    assert.equal(out.toString(), name)
  }
  const lines = (await good(['list', '--json'], { env })).trim().split('\n')
  assert.deepEqual(new Set(lines.map((line) => JSON.parse(line).name)), new Set(names))
  const table = await good(['list'], { env })
  assert.equal(table.trimEnd().split('\n').length, names.length + 2)
  assert(table.includes('  new\\nline\n'), table)
  await good(['delete', 'new\nline'], { env })
  const quoted = names.filter((name) => name !== 'new\nline').map((name) => JSON.stringify(name))
  await good([], { input: quoted.map((name) => `delete -- ${name}\n`).join(''), env })
  assert.equal(await good(['list'], { env }), 'No files.\n')
})

test('the listing shows copies, sizes, times and a total', async () => {
  const prefix = `${randomUUID()}/`
  await good(['put', '-', '--as', `${prefix}a`], { input: Buffer.alloc(1500) })
  await good(['put', '-', '--as', `${prefix}b`], { input: 'b' })
  const [heading, a, b, total, end] = (await good(['list', prefix])).split('\n')
  assert.match(heading!, /^Copies +Size +Modified +Name$/)
  assert.match(
    a!,
    new RegExp(`^2 copies +1\\.5 kB  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d  ${prefix}a$`),
  )
  assert.match(b!, new RegExp(`^2 copies +1 B .*  ${prefix}b$`))
  assert.deepEqual([total, end], ['2 files, 1.5 kB.', ''])
})

test('several files go after --, each under its own name', async () => {
  const cwd = newFolder()
  for (const name of ['one', 'two', '-three']) writeFileSync(join(cwd, name), name)
  const stored = await good(['put', '--', 'one', './two', '-three'], { cwd })
  assert.deepEqual(
    stored.split('\n').map((line) => line.split(':')[0]),
    ['one', 'two', '-three', ''],
  )
  const { code, err } = await dfc(['put', 'one', 'two', '-three'], { cwd })
  assert.equal(code, 1)
  assert.match(err, /several files are put -- FILE FILE/)
})

test('user and password may follow the file, as may those of another user', async () => {
  await cluster.addUser('bob', 'builder-bob')
  const nobody = { env: {}, input: 'bob here' }
  await good(['put', '-', 'BOB', 'builder-bob', '--as', 'same name'], nobody)
  await good(['put', '-', '--as', 'same name'], { input: 'alice here' })
  const { out } = await dfc(['get', 'same name', 'bob', 'builder-bob', '-o', '-'], { env: {} })
  assert.equal(out.toString(), 'bob here')
  assert.match(await good(['list', 'bob', 'builder-bob'], { env: {} }), /1 file, 8 B\./)
  await good(['delete', 'same name', 'bob', 'builder-bob'], { env: {} })
  assert.equal((await dfc(['get', 'same name', '-o', '-'])).out.toString(), 'alice here')
})

test('failures are a sentence, a hint and an exit code', async () => {
  const cwd = newFolder()
  writeFileSync(join(cwd, 'here'), 'mine')
  await good(['put', '-', '--as', 'here'], { input: 'theirs' })
  const table: [args: string[], code: number, sentence: RegExp, options?: Partial<DfcOptions>][] = [
    [['get', 'nowhere'], 1, /^dfc: There is no file/],
    [['get', 'here'], 1, /^dfc: here is here already\.\ndfc: hint: Use --force/],
    [['put', 'absent'], 1, /^dfc: absent cannot be read: does not exist\./],
    [['put', '.'], 1, /^dfc: \. is a folder\./],
    [['put', 'here', '--as', 'a/../b'], 1, /^dfc: The file name has the segment \.\./],
    [['put', '-'], 2, /^dfc: Standard input needs a name: --as NAME\./],
    [['put', '--as', 'x', '--', 'here', 'here'], 2, /^dfc: --as names one file/],
    [['list'], 2, /^dfc: There is no user: set DFC_USER and DFC_PASSWORD/, { env: {} }],
    [['list', 'alice', 'wrong'], 1, /^dfc: That name and password do not match\./],
    [['list', 'nobody', 'wonderland'], 1, /^dfc: That name and password do not match\./],
    [['list', 'a b', 'wonderland'], 1, /^dfc: That name and password do not match\./],
    [['user', 'add', 'alice', 'other-password'], 1, /^dfc: There is an account alice/],
    [['user', 'add', 'x:y', 'other-password'], 1, /^dfc: A user name has 1 to 64 letters/],
    [['user', 'add', 'short', 'short'], 1, /^dfc: .*\ndfc: hint: Use 8 to 1024 bytes\./],
    [['user', 'remove', 'alice'], 2, /^dfc: user remove asks first; in a script, add --yes\./],
  ]
  for (const [args, code, sentence, options] of table) {
    const result = await dfc(args, { cwd, ...options })
    assert.equal(result.code, code, `${args.join(' ')}: ${result.err}`)
    assert.match(result.err, sentence)
    assert.equal(result.out.length, 0)
  }
  assert.equal(readFileSync(join(cwd, 'here'), 'utf8'), 'mine')
  await good(['get', 'here', '--force'], { cwd })
  assert.equal(readFileSync(join(cwd, 'here'), 'utf8'), 'theirs')
})

test('operators add, list and remove accounts; users change their password', async () => {
  const { out, err } = await dfc(['user', 'add', 'Carol', '--generate'])
  const password = out.toString().trim()
  assert.match(err, /^Account carol added\. Its password, shown this once:\n$/)
  await good(['put', '-', 'carol', password, '--as', 'x'], {
    env: {},
    input: 'kept',
  })
  assert((await good(['user', 'list'])).split('\n').includes('carol'))

  const env = { DFC_USER: 'carol', DFC_PASSWORD: password, DFC_NEW_PASSWORD: 'new-password' }
  assert.equal(await good(['passwd'], { env }), 'The password of carol is changed.\n')
  assert.equal((await dfc(['list'], { env })).code, 1)
  const fetched = await dfc(['get', 'x', 'carol', 'new-password', '-o', '-'], { env: {} })
  assert.equal(fetched.out.toString(), 'kept')

  const back = { DFC_PASSWORD: 'new-password', DFC_NEW_PASSWORD: 'third-password' }
  await good(['user', 'passwd', 'CAROL'], { env: back })
  await good(['list', 'carol', 'third-password'], { env: {} })
  assert.equal(await good(['user', 'remove', 'carol', '--yes']), 'Account carol removed.\n')
  assert.equal((await dfc(['list', 'carol', 'third-password'], { env: {} })).code, 1)
  assert(!(await good(['user', 'list'])).includes('carol'))
})

test('without the cluster key files work, and operators are told what is missing', async () => {
  const key = join(cluster.folder, 'absent.key')
  const run = (...args: string[]) =>
    runDfc(['--cluster-key', key, cluster.dfcConfFile, ...args], { env: ALICE, cwd: newFolder() })
  assert.equal((await run('list')).code, 0)
  const { code, err } = await run('user', 'list')
  assert.equal(code, 1)
  assert.equal(
    err,
    `dfc: There is no cluster key at ${key}.\n` +
      'dfc: hint: This command is the operator’s: give the key with --cluster-key FILE.\n',
  )
  const { out } = await run('nodes')
  assert.match(out.toString(), /DFS4 +127\.0\.0\.1:\d+ +up .* - +-\n$/)
})

test('a prompt fed by a pipe runs each line, remembers the user, outlives failures', async () => {
  const cwd = newFolder()
  writeFileSync(join(cwd, 'my file'), 'from the prompt')
  const input = [
    '-put "my file" alice wonderland',
    'bogus',
    '# a remark',
    '',
    "get 'my file' -o copy",
    'put - --as x',
    'put absent bob wrong',
    'list bob wrong-password',
    'delete my\\ file',
    '-exit',
    'delete copy',
  ].join('\n')
  const { code, out, err } = await dfc([], { cwd, input, env: {} })
  assert.equal(code, 1)
  assert.equal(
    out.toString(),
    'my file: 15 B, on all four nodes\nmy file: 15 B, in copy\nmy file: deleted\n',
  )
  assert.match(
    err,
    /^dfc: There is no command bogus\..*\n.*\ndfc: In the prompt, - is not a file\./,
  )
  assert.equal(readFileSync(join(cwd, 'copy'), 'utf8'), 'from the prompt')
  assert.equal((await dfc([], { input: 'nodes\n', env: {} })).code, 0)
})

test('help, version and a bad conf need no node', async () => {
  const cwd = newFolder()
  const run = (...args: string[]) => runDfc(args, { cwd })
  assert.match((await run('--help')).out.toString(), /^Usage: dfc \[OPTIONS\] CONF/)
  assert.match((await run('--version')).out.toString(), /^dfc \d+\.\d+\.\d+\n$/)
  assert.match((await run('none.conf', 'help', '-put')).out.toString(), /^put FILE \[USER/)
  assert.match((await run('none.conf', 'list', '--help')).out.toString(), /^list \[PREFIX\]/)
  const none = await run()
  assert.deepEqual([none.code, none.out.length], [2, 0])
  assert.match((await run('list')).err, /^dfc: The conf file comes first: dfc conf\/dfc\.conf list/)
  assert.match(
    (await run('none.conf', 'list')).err,
    /^dfc: The conf file none\.conf does not exist/,
  )
  writeFileSync(join(cwd, 'bad.conf'), '\nnodes = 4\n')
  const bad = await run('bad.conf', 'list')
  assert.equal(bad.code, 1)
  assert.match(bad.err, /^dfc: bad\.conf, line 2: nodes must be a list of exactly four/)
  writeFileSync(join(cwd, 'empty.conf'), '')
  const option = await run('--nodes', 'a:1,b', 'empty.conf', 'list')
  assert.match(option.err, /^dfc: --nodes: nodes/)
})
