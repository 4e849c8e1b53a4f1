// `npm start` as a person meets it: what it prints, that a second start finds the first one's
// data, that it keeps its processes running, and that all of them end with it.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type RunningProcess, startProcess } from '../../support/process.ts'
import { basic, call } from '../http/client.ts'

const START = fileURLToPath(new URL('../../../gateway/bin/start.js', import.meta.url))
/** Signal 0 only asks whether a process is there. */
const PROBE = 0

let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-start-'))
})

after(() => rm(folder, { recursive: true, force: true }))

function start(env: NodeJS.ProcessEnv = {}): RunningProcess {
  const ports = { PORT: '0', FOURFOLD_NODE_PORT: '0' }
  const usual = { FOURFOLD_DATA: join(folder, 'data'), FOURFOLD_USER: '', FOURFOLD_PASSWORD: '' }
  return startProcess({ args: [START], env: { ...ports, ...usual, ...env } })
}

async function whenReady(running: RunningProcess) {
  const [text] = await running.waitFor(/Fourfold is ready\.[\s\S]*Ctrl-C stops all five/, 60_000)
  const [, url = ''] = /Address +(\S+)/.exec(text)!
  return { text, url }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, PROBE)
  } catch {
    return false
  }
}

/** The children of a process, from the kernel. */
async function childrenOf(pid: number): Promise<number[]> {
  const pids: number[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const text = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
    const [, parent] = /^\d+ \(.*\) \S (\d+)/s.exec(text) ?? []
    if (Number(parent) === pid) pids.push(Number(entry))
  }
  return pids
}

async function whenEnded(pids: readonly number[], limitMs = 20_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (pids.some(isAlive)) {
    assert.ok(performance.now() < endMs, `processes ${pids.filter(isAlive)} are still there`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('the first start makes an account and says how to sign in; the second finds the data', async () => {
  const first = start()
  const { text, url } = await whenReady(first)
  assert.match(text, /User +alice/)
  const [, password = ''] = /Password +(\S+)/.exec(text)!
  assert.match(password, /^[a-z2-9-]{19}$/)
  assert.match(text, /not shown again/)
  for (const name of ['DFS1', 'DFS2', 'DFS3', 'DFS4', 'gateway']) {
    assert.match(first.output(), new RegExp(`^${name} +\\| .*listens on`, 'm'))
  }
  const authorization = basic('alice', password)
  const stored = await call(`${url}/files/kept.txt`, { method: 'PUT', body: 'kept', authorization })
  assert.equal(stored.status, 201)
  const key = await stat(join(folder, 'data', 'session.key'))
  assert.equal(key.mode & 0o777, 0o600)
  assert.equal(key.size, 32)
  const children = await childrenOf(first.child.pid!)
  assert.equal(children.length, 5)
  await first.kill('SIGINT')
  assert.equal(first.child.exitCode, 0, first.output())
  await whenEnded(children)

  const second = start()
  const again = await whenReady(second)
  assert.match(again.text, /as before/)
  assert.doesNotMatch(again.text, /Password/)
  const read = await call(`${again.url}/files/kept.txt`, { authorization })
  assert.equal(read.text, 'kept')
  await second.kill('SIGTERM')
  assert.equal(second.child.exitCode, 0)
})

test('a password from the environment is used and not printed; the user name ignores case', async () => {
  const env = {
    FOURFOLD_DATA: join(folder, 'own'),
    FOURFOLD_USER: 'Bob',
    FOURFOLD_PASSWORD: 'secret of bob',
  }
  const running = start(env)
  const { url } = await whenReady(running)
  assert.doesNotMatch(running.output(), /secret of bob/)
  const answer = await call(`${url}/files`, { authorization: basic('BOB', 'secret of bob') })
  assert.equal(answer.status, 200)
  await running.kill('SIGTERM')
})

test('a node and the gateway are started again when they die', { timeout: 120_000 }, async () => {
  const running = start({
    FOURFOLD_DATA: join(folder, 'revived'),
    FOURFOLD_PASSWORD: 'long enough',
  })
  const { url } = await whenReady(running)
  const authorization = basic('alice', 'long enough')
  const before = await childrenOf(running.child.pid!)
  for (const pid of before) process.kill(pid, 'SIGKILL')
  await running.waitFor(/DFS1 +\| ended unexpectedly by SIGKILL; starting it again/)
  await running.waitFor(/(gateway +\| gateway listens on[\s\S]*){2}/, 60_000)
  let status = 0
  const endMs = performance.now() + 60_000
  while (status !== 201) {
    assert.ok(performance.now() < endMs, running.output())
    const request = { method: 'PUT', body: 'x', authorization } as const
    status = await call(`${url}/files/again`, request).then(
      (answer) => answer.status,
      () => 0,
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await running.kill('SIGTERM')
  assert.equal(running.child.exitCode, 0)
})

test('when the starter is killed outright, its five processes end by themselves', async () => {
  const running = start({ FOURFOLD_DATA: join(folder, 'orphans') })
  await whenReady(running)
  const children = await childrenOf(running.child.pid!)
  assert.equal(children.length, 5)
  running.child.kill('SIGKILL')
  await whenEnded(children)
})

test('a taken port is told with its number and the variable to change', async (context) => {
  const other = createServer()
  context.after(() => other.close())
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  for (const variable of ['PORT', 'FOURFOLD_NODE_PORT']) {
    const running = start({ [variable]: String(port) })
    await running.waitFor(new RegExp(`Port ${port} on 127\\.0\\.0\\.1 .*${variable}`))
    await whenEnded([running.child.pid!])
    assert.equal(running.child.exitCode, 1)
    assert.doesNotMatch(running.output(), /listens on/)
  }
})

test('variables that make no sense are named before anything is started', async () => {
  for (const [variable, value, sentence] of [
    ['PORT', 'http', /PORT must be a port/],
    ['FOURFOLD_NODE_PORT', '65534', /FOURFOLD_NODE_PORT must be a port/],
    ['FOURFOLD_USER', 'no:colon', /user name/],
    ['FOURFOLD_PASSWORD', 'secret', /FOURFOLD_PASSWORD: A password has 8 to 1024 bytes/],
  ] as const) {
    const running = start({ [variable]: value })
    await running.waitFor(sentence)
    await whenEnded([running.child.pid!])
    assert.equal(running.child.exitCode, 1)
    assert.doesNotMatch(running.output(), /listens on/)
  }
})
