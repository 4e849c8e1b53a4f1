// dfc when things go wrong around it: nodes down, Ctrl-C in mid-transfer, a reader that leaves.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { ROW, seededBytes } from '../../support/content.ts'
import { startProcess } from '../../support/process.ts'
import { DFC, ended, runDfc, startDfc } from './run-dfc.ts'

const ALICE = { DFC_USER: 'alice', DFC_PASSWORD: 'wonderland' }
const LARGE_BYTES = 64 * ROW
let cluster: TestCluster

before(async () => {
  cluster = await startCluster()
  await cluster.addUser('alice', 'wonderland')
  await dfc(['put', '-', '--as', 'small'], Buffer.from('small'))
  await dfc(['put', '-', '--as', 'large'], seededBytes('large', LARGE_BYTES))
})
after(() => cluster[Symbol.asyncDispose]())

async function dfc(args: string[], input?: Uint8Array) {
  const options = { env: ALICE, cwd: cluster.folder, ...(input !== undefined && { input }) }
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

test('Ctrl-C in mid-download leaves no file, whole or half', async () => {
  const folder = join(cluster.folder, 'stopped')
  mkdirSync(folder)
  const watcher = watch(folder)
  const child = start(['get', 'large'], folder)
  await once(watcher, 'change')
  watcher.close()
  child.kill('SIGINT')
  const code = await ended(child)
  // A fast disk may have finished before the signal: then the file is whole.
  assert.deepEqual([code, ...readdirSync(folder)], code === 0 ? [0, 'large'] : [130])
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
