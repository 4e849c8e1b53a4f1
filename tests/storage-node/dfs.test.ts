// The program `dfs`: its one line, its complaints, its exit codes, its cluster key, its stop.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startProcess } from '../support/process.ts'
import { startNodeProcess, temporaryFolder } from '../support/storage-node.ts'
import { newStoredFile, store } from '../support/stored-file.ts'
import { WireClient } from '../support/wire-client.ts'

const PROGRAM = fileURLToPath(new URL('../../storage-node/bin/dfs.js', import.meta.url))

test('it says where it listens in one line, and stops cleanly when told', async () => {
  const { path, remove } = temporaryFolder()
  try {
    const args = [PROGRAM, `${path}/DFS3`, '0', '--cluster-key', `${path}/key`]
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const node = startProcess({ args })
      const [line, port] = await node.waitFor(/^DFS3 listens on 127\.0\.0\.1:(\d+), folder .*\n/m)
      assert.ok(line.endsWith(`folder ${path}/DFS3\n`))
      const client = await WireClient.connect(Number(port))
      assert.equal(client.greeting.node, 3)
      await node.kill(signal)
      await client.closed
      assert.equal(node.child.exitCode, 0)
      const isFirst = signal === 'SIGTERM'
      assert.equal(node.output().includes('Made the cluster key'), isFirst)
    }
    assert.match(readFileSync(`${path}/key`, 'utf8'), /^[0-9a-f]{64}\n$/)
    assert.equal(statSync(`${path}/key`).mode & 0o777, 0o600)
  } finally {
    remove()
  }
})

test('a stop answers the requests that are under way', async () => {
  await using server = await startNodeProcess()
  await using client = await server.connect()
  const sends = Array.from({ length: 50 }, () => store(client, server.alice, newStoredFile()))
  await sends[0]
  const stopped = server.kill('SIGTERM')
  const outcomes = await Promise.allSettled(sends)
  await stopped
  assert.ok(outcomes.filter(({ status }) => status === 'fulfilled').length >= 1)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'NODE_GONE')
  }
})

test('four nodes that start at once make one cluster key', async () => {
  const { path, remove } = temporaryFolder()
  const nodes = [1, 2, 3, 4].map((number) =>
    startProcess({ args: [PROGRAM, `${path}/DFS${number}`, '0', '--cluster-key', `${path}/key`] }),
  )
  try {
    await Promise.all(nodes.map((node) => node.waitFor(/listens on/)))
    const makers = nodes.filter((node) => node.output().includes('Made the cluster key'))
    assert.equal(makers.length, 1)
  } finally {
    await Promise.all(nodes.map((node) => node.kill('SIGKILL')))
    remove()
  }
})

test('a wrong command line is explained, with exit code 2', () => {
  const { path, remove } = temporaryFolder()
  const cases: [string[], RegExp][] = [
    [[], /Give a folder and a port/],
    [['DFS1'], /Give a folder and a port/],
    [['DFS1', '1', '2'], /Give a folder and a port/],
    [['DFS1', 'http'], /PORT must be a whole number from 0 to 65535/],
    [['DFS1', '65536'], /PORT must be/],
    [['DFS5', '0'], /node number must be a whole number from 1 to 4/],
    [['data', '0'], /must end in the number of the node/],
    [['data', '0', '--node', '0'], /node number must be/],
    [['DFS1', '0', '--nodes', '1'], /--nodes/],
  ]
  for (const [args, sentence] of cases) {
    const { status, stderr, stdout } = run(args, path)
    assert.equal(status, 2, `${args}: ${stderr}`)
    assert.match(stderr, /^dfs: .+\ndfs: hint: dfs DIR PORT .*\n$/s)
    assert.match(stderr, sentence)
    assert.equal(stdout, '')
  }
  assert.match(run(['--help'], path).stdout, /^dfs DIR PORT/)
  remove()
})

test('what keeps a node from starting is a sentence and a hint, with exit code 1', async () => {
  const { path, remove } = temporaryFolder()
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  writeFileSync(`${path}/short.key`, 'abc')
  writeFileSync(`${path}/wrong.conf`, 'hots = "127.0.0.1"\n')
  writeFileSync(`${path}/folder`, 'a file')
  const key = ['--cluster-key', `${path}/key`]
  const cases: [string[], RegExp][] = [
    [['DFS1', String(port), ...key], /Another program listens on 127\.0\.0\.1:\d+\./],
    [['DFS1', '0', '--cluster-key', 'short.key'], /64 hex digits/],
    [['DFS1', '0', '--conf', 'wrong.conf'], /hots/],
    [['DFS1', '0', '--conf', 'none.conf'], /none\.conf/],
    [['folder', '0', '--node', '1', ...key], /folder/],
    [['DFS1', '0', '--host', '192.0.2.1', ...key], /cannot listen/],
  ]
  try {
    for (const [args, sentence] of cases) {
      const { status, stderr, stdout } = run(args, path)
      assert.equal(status, 1, `${args}: ${stderr}`)
      assert.match(stderr, /^dfs: .+\ndfs: hint: .+\n$/m)
      assert.match(stderr, sentence)
      assert.equal(stdout, '')
    }
  } finally {
    taken.close()
    remove()
  }
})

function run(args: readonly string[], cwd: string) {
  const options = { cwd, encoding: 'utf8', timeout: 20_000 } as const
  return spawnSync(process.execPath, [PROGRAM, ...args], options)
}
