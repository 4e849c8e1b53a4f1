// The specification is enough: a client that was written from the protocol's page alone, in another
// language, works with a real node.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startProcess } from '../../support/process.ts'
import { ROOT } from '../../support/sources.ts'

const CLIENT = join(ROOT, 'tests/support/stranger.py')
const NODE = join(ROOT, 'storage-node/bin/dfs.js')
const LIMIT_MS = 60_000

test('a client in Python, written from the page alone, makes an account, stores, reads, lists and deletes', {
  skip: withoutPython(),
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-stranger-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const clusterKey = randomBytes(32).toString('hex')
  await writeFile(join(folder, 'cluster.key'), `${clusterKey}\n`, { mode: 0o600 })
  const conf = join(folder, 'dfs.conf')
  await writeFile(conf, 'cluster_key_file = "cluster.key"\ndisk.reserve_bytes = 0\n')
  const node = startProcess({ args: [NODE, join(folder, 'DFS3'), '0', '--conf', conf] })
  t.after(() => node.kill('SIGKILL'))
  const [, port] = await node.waitFor(/listens on [^\n]*:(\d+)/)
  const args = [CLIENT, port!, clusterKey, 'Ärger', 'correct horse battery']
  const { stdout } = await promisify(execFile)('python3', args, { timeout: LIMIT_MS })
  assert.deepEqual(JSON.parse(stdout), { node: 3, users: 1, files: 1 })
})

function withoutPython(): string | false {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore', timeout: LIMIT_MS })
    return false
  } catch {
    return 'no python3 here'
  }
}
