// dfc when things go wrong around it: nodes down, Ctrl-C in mid-transfer, a reader that leaves.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { partPath } from '../../../gateway/dfc/part-file.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../../support/content.ts'
import { startProcess } from '../../support/process.ts'
import { DFC, ended, runDfc, startDfc } from './run-dfc.ts'

const ALICE = { DFC_USER: 'alice', DFC_PASSWORD: 'wonderland' }
const LARGE = seededBytes('large', 64 * ROW)
let cluster: TestCluster

before(async () => {
  cluster = await startCluster()
  await cluster.addUser('alice', 'wonderland')
  await dfc(['put', '-', '--as', 'small'], Buffer.from('small'))
  await dfc(['put', '-', '--as', 'large'], LARGE)
})
after(() => cluster[Symbol.asyncDispose]())

async function dfc(args: string[], input?: Uint8Array, cwd = cluster.folder) {
  const options = { env: ALICE, cwd, ...(input !== undefined && { input }) }
  const { code, out, err } = await runDfc([cluster.dfcConfFile, ...args], options)
  return { code, out: out.toString('latin1'), err }
}

function start(args: string[], cwd = cluster.folder) {
  return startDfc([cluster.dfcConfFile, ...args], { env: ALICE, cwd })
}

test('Ctrl-C in mid-upload stops it with code 130, and nothing of it is seen', async () => {
  const child = start(['put', '-', '--as', 'cut off'])
  child.stdin!.on('error', () => {})
  // The pipe takes this much only if dfc reads, and it reads only while it uploads.
  await new Promise((resolve) => child.stdin!.write(seededBytes('cut', 8 * ROW), resolve))
  child.kill('SIGINT')
  assert.equal(await ended(child), 130)
  assert(!(await dfc(['list'])).out.includes('cut off'))
})

test('Ctrl-C in mid-download leaves no file under its name, and the next get goes on', async () => {
  const folder = join(cluster.folder, 'stopped')
  mkdirSync(folder)
  const watcher = watch(folder)
  const child = start(['get', 'large'], folder)
  await once(watcher, 'change')
  watcher.close()
  child.kill('SIGINT')
  const code = await ended(child)
  // A fast disk may have finished before the signal: then the file is whole.
  const left = readdirSync(folder)
  if (code === 0) return assert.deepEqual(left, ['large'])
  assert.equal(code, 130)
  assert.ok(left.every((name) => /^\.dfc-\w+-\w+\.part$/.test(name)) && left.length < 2, `${left}`)
  assert.match((await dfc(['get', 'large'], undefined, folder)).out, /^large: /)
  assert.deepEqual(readdirSync(folder), ['large'])
  assert.equal(md5Hex(readFileSync(join(folder, 'large'))), md5Hex(LARGE))
})

test('get goes on from what is here of the same bytes, and never mixes in others', async () => {
  const folder = join(cluster.folder, 'partly')
  mkdirSync(folder)
  const target = join(folder, 'large')
  const part = partPath({ path: target, md5: md5Hex(LARGE) })
  const older = partPath({ path: target, md5: md5Hex(Buffer.from('another version')) })
  writeFileSync(part, LARGE.subarray(0, 3 * ROW + 17))
  writeFileSync(older, 'of another version')
  assert.match(
    (await dfc(['get', 'large'], undefined, folder)).out,
    /, of which 3\.1 MB were here already\n/,
  )
  assert.deepEqual(readdirSync(folder), ['large'])
  assert.equal(md5Hex(readFileSync(target)), md5Hex(LARGE))
  // All of it is here: nothing is fetched, all is checked.
  rmSync(target)
  writeFileSync(part, LARGE)
  assert.equal((await dfc(['get', 'large'], undefined, folder)).code, 0)
  assert.equal(md5Hex(readFileSync(target)), md5Hex(LARGE))
  // A part that was changed is found out at the end, and is gone then.
  rmSync(target)
  writeFileSync(part, Buffer.alloc(ROW, 'x'))
  const refused = await dfc(['get', 'large'], undefined, folder)
  assert.equal(refused.code, 1)
  assert.match(refused.err, /The MD5 of what was fetched is not that of the file\./)
  assert.deepEqual(readdirSync(folder), [])
  assert.equal((await dfc(['get', 'large'], undefined, folder)).code, 0)
})

test('a reader that leaves early ends a download without a word', async () => {
  const child = start(['get', 'large', '-o', '-'])
  let err = ''
  child.stderr!.on('data', (part) => {
    err += part
  })
  await once(child.stdout!, 'data')
  child.stdout!.destroy()
  assert.deepEqual([await ended(child), err], [0, ''])
})

test('with one node down files are fetched and listed, and an upload names the node', async () => {
  await cluster.nodes[2]!.kill()
  try {
    const listing = await dfc(['list'])
    assert.match(listing.out, /\n1 copy left +5 B .* small\n2 files, 67\.1 MB\. DFS3 is down\.\n$/)
    assert.equal((await dfc(['get', 'small', '-o', '-'])).out, 'small')
    const put = await dfc(['put', '-', '--as', 'new'], Buffer.from('new'))
    assert.equal(put.code, 1)
    assert.match(
      put.err,
      /^dfc: DFS3 is not answering.*\ndfc: DFS3 cannot be reached.*\ndfc: hint: /,
    )
    assert.match((await dfc(['nodes'])).out, /\nDFS3 +\S+ +down .*DFS3 cannot be reached/)

    await cluster.nodes[3]!.kill()
    const two = await dfc(['list'])
    assert.match(two.out, /\nNeeds DFS3 or DFS4 +5 B .* small\n.* DFS3 and DFS4 are down\.\n$/)
    const json = await dfc(['list', '--json', 'small'])
    assert.equal(JSON.parse(json.out).state, 'insufficient')
    assert.equal(json.err, 'dfc: DFS3 and DFS4 are down.\n')
    const get = await dfc(['get', 'small', '-o', 'small.out'])
    assert.equal(get.code, 1)
    assert.match(get.err, /^dfc: Part \d.* DFS3 or DFS4/)
    assert(!existsSync(join(cluster.folder, 'small.out')))
  } finally {
    await Promise.all([cluster.nodes[2]!.start(), cluster.nodes[3]!.start()])
  }
  assert.equal((await dfc(['put', '-', '--as', 'new'], Buffer.from('new'))).code, 0)
})

const isScriptHere = existsSync('/usr/bin/script')

test('at a terminal dfc asks without echo, and Ctrl-C at a transfer comes back to the prompt', {
  skip: !isScriptHere && 'script(1) is not here to make a terminal',
}, async () => {
  // Not every shell replaces itself by its last command: one that stays would die of the Ctrl-C.
  const line = `exec '${process.execPath}' '${DFC}' '${cluster.dfcConfFile}'`
  const env = { DFC_USER: '', DFC_PASSWORD: '', TERM: 'xterm', SHELL: '/bin/sh' }
  const terminal = startProcess({
    command: '/usr/bin/script',
    args: ['-qfec', line, '/dev/null'],
    env,
    cwd: cluster.folder,
    stdin: 'pipe',
  })
  const type = (text: string) => terminal.child.stdin!.write(text)
  await terminal.waitFor(/dfc> /)
  type('list\r')
  await terminal.waitFor(/User: /)
  type('alice\r')
  await terminal.waitFor(/Password: /)
  type('wonderland\r')
  await terminal.waitFor(/files, [\s\S]*dfc> /)
  type('put /dev/zero --as endless\r')
  await terminal.waitFor(/endless {2}\d+\.\d [kM]B/)
  type('\x03')
  await terminal.waitFor(/dfc: Stopped\.[\s\S]*dfc> /)
  type('nodes\r')
  await terminal.waitFor(/DFS4 [\s\S]*dfc> /)
  type('exit\r')
  assert.equal(await ended(terminal.child), 0)
  assert(!terminal.output().includes('wonderland'))
})
