// Several gateway processes behind one port: to a client they are one gateway.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { dfcConfSchema, loadConf } from '@fourfold/conf'
import { request } from 'undici'
import { shareOf, workerCount, workerCountBesideNodes } from '../../../gateway/start/workers.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { type RunningProcess, startProcess } from '../../support/process.ts'
import { run } from '../../support/run.ts'
import { BASIC, PASSWORD, USER } from '../http/client.ts'

const PROGRAM = fileURLToPath(new URL('../../../gateway/bin/fourfold.js', import.meta.url))

let cluster: TestCluster
let url: string
let gateway: RunningProcess

before(async () => {
  cluster = await startCluster({ dfcConf: 'gateway.workers = 2' })
  await cluster.addUser(USER, PASSWORD)
  url = await cluster.startGateway()
  gateway = cluster.gateways[0]!
  await gateway.waitFor(/2 workers serve/)
})

after(() => cluster[Symbol.asyncDispose]())

const workers = () => childrenOf(gateway)

function childrenOf({ child: { pid } }: RunningProcess): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').filter(Boolean).map(Number)
}

/** A request on a connection of its own, and so to whichever worker is next. */
async function ask(
  method: 'GET' | 'PUT',
  path: string,
  headers: Record<string, string>,
  body = '',
) {
  const answer = await request(`${url}${path}`, {
    method,
    headers: { connection: 'close', ...headers },
    ...(method === 'PUT' && { body }),
  })
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
}

test('what one worker stored another one serves', async () => {
  const authorization = BASIC
  assert.equal((await ask('PUT', '/files/one', { authorization }, 'content')).status, 201)
  for (let tries = 0; tries < 6; tries++) {
    assert.equal((await ask('GET', '/files/one', { authorization })).text, 'content')
  }
})

test('a browser that signed in at one worker is signed in at the other', async () => {
  const signedIn = await request(`${url}/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: USER, password: PASSWORD }),
  })
  await signedIn.body.dump()
  const cookie = String(signedIn.headers['set-cookie']).split(';')[0]!
  for (let tries = 0; tries < 6; tries++) {
    assert.equal((await ask('GET', '/files', { cookie })).status, 200)
  }
})

test('wrong passwords wait for each other, whichever worker they are sent to', async () => {
  const authorization = `Basic ${Buffer.from(`${USER}:wrong`).toString('base64')}`
  const other = (tries: number) =>
    `Basic ${Buffer.from(`${USER}:wrong${tries}`).toString('base64')}`
  const startedMs = performance.now()
  const answers = await Promise.all([
    ask('GET', '/files', { authorization }),
    ...[1, 2, 3].map((tries) => ask('GET', '/files', { authorization: other(tries) })),
  ])
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([401]))
  // 0, 250, 500 and 1000 ms; two memories of two failures each would be through after 250.
  assert.ok(performance.now() - startedMs >= 1700)
})

test('a worker that dies is replaced, and the others serve meanwhile', async () => {
  const [doomed] = workers()
  process.kill(doomed!, 'SIGKILL')
  await gateway.waitFor(/a worker ended by SIGKILL; another starts/)
  assert.equal((await ask('GET', '/healthz', {})).status, 200)
  await gateway.waitFor(/2 workers serve[\s\S]*2 workers serve/)
  assert.ok(!workers().includes(doomed!))
  for (let tries = 0; tries < 4; tries++) {
    assert.equal((await ask('GET', '/files/one', { authorization: BASIC })).text, 'content')
  }
})

test('where no worker can start, it is said once, and the gateway ends', async () => {
  const { port } = new URL(url)
  const data = join(cluster.folder, 'second')
  const at = ['--conf', cluster.dfcConfFile, '--data', data, '--port', port]
  const { code, stdout, stderr } = await run(process.execPath, [PROGRAM, 'gateway', ...at])
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^fourfold: .*is taken by.*\nfourfold: hint: .+\n$/)
})

test('a signal ends all of them, with exit code 0', async () => {
  const pids = workers()
  await gateway.kill('SIGTERM')
  assert.equal(gateway.child.exitCode, 0, gateway.output())
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('--workers stands in for the key', async () => {
  const args = [PROGRAM, 'gateway', '--conf', cluster.dfcConfFile, '--port', '0']
  const data = ['--data', join(cluster.folder, 'alone')]
  const alone = startProcess({ args: [...args, ...data, '--workers', '1'] })
  await alone.waitFor(/listens on http/)
  assert.deepEqual(childrenOf(alone), [])
  await alone.kill('SIGTERM')
  const wrong = await run(process.execPath, [...args, ...data, '--workers', 'all'])
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /--workers.*gateway\.workers must be a whole number from 0 to 64/)
})

test('limits are shared out', () => {
  const conf = loadConf({ file: cluster.dfcConfFile, schema: dfcConfSchema })
  const { transfers, derivations } = conf.limits
  assert.equal(shareOf(conf, 2).limits.transfers, transfers / 2)
  assert.equal(shareOf(conf, 2).limits.derivations, derivations / 2)
})

test('two cores have two processes, or one where the nodes are beside it or metrics are on', () => {
  const conf = loadConf({ file: cluster.dfcConfFile, schema: dfcConfSchema })
  const cases = [
    { workers: 0, metrics: false, cores: 1, alone: 1, beside: 1 },
    { workers: 0, metrics: false, cores: 2, alone: 2, beside: 1 },
    { workers: 0, metrics: false, cores: 8, alone: 2, beside: 2 },
    { workers: 0, metrics: true, cores: 8, alone: 1, beside: 1 },
    { workers: 3, metrics: false, cores: 1, alone: 3, beside: 3 },
    { workers: 3, metrics: true, cores: 8, alone: 3, beside: 3 },
  ]
  for (const { workers, metrics, cores, alone, beside } of cases) {
    const asked = { ...conf, gateway: { ...conf.gateway, workers, metrics } }
    assert.deepEqual(
      [workerCount(asked, cores), workerCountBesideNodes(asked, cores)],
      [alone, beside],
      `${workers} set, metrics ${metrics}, ${cores} cores`,
    )
  }
})
