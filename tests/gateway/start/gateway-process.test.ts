// The gateway as a process: what it says when it starts and cannot start, that it stops without
// losing what is under way, and that its log tells nothing of users and files.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { startProcess } from '../../support/process.ts'
import { BASIC, call, PASSWORD, raw, USER } from '../http/client.ts'

const FOURFOLD = fileURLToPath(new URL('../../../gateway/bin/fourfold.js', import.meta.url))

let cluster: TestCluster

before(async () => {
  cluster = await startCluster()
  await cluster.addUser(USER, PASSWORD)
})

after(() => cluster[Symbol.asyncDispose]())

const head = (...lines: string[]) =>
  [...lines, 'Host: test', `Authorization: ${BASIC}`, '', ''].join('\r\n')

test('a signal lets the upload under way finish, then the gateway ends with exit code 0', async () => {
  const url = await cluster.startGateway()
  const gateway = cluster.gateways.at(-1)!
  const request = head('PUT /files/last HTTP/1.1', 'Content-Length: 10', 'Expect: 100-continue')
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped = gateway.kill('SIGTERM')
    return 'later'
  }
  assert.match(await raw(url, [request, /100 Continue/, 'first', stop]), /201 Created/)
  await stopped
  assert.equal(gateway.child.exitCode, 0, gateway.output())
  const again = await cluster.startGateway()
  assert.equal((await call(`${again}/files/last`)).text, 'firstlater')
})

test('a request whose head is under way at the signal is served', async () => {
  const url = await cluster.startGateway()
  const gateway = cluster.gateways.at(-1)!
  const { hostname, port } = new URL(url)
  const address = { host: hostname, port: Number(port) }
  const socket = connect(address).setEncoding('latin1')
  let answer = ''
  socket.on('data', (text: string) => {
    answer += text
  })
  socket.write('GET /healthz HTTP/1.1\r\nHost: test\r\n')
  // Another request that came later has been answered: so the first part has arrived.
  await call(`${url}/healthz`)
  const stopped = gateway.kill('SIGTERM')
  while (await isListening(address));
  socket.write('\r\n')
  await once(socket, 'close')
  await stopped
  assert.match(answer, /^HTTP\/1\.1 200 /)
})

function isListening(address: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(address)
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false))
    probe.once('connect', () => probe.destroy())
  })
}

test('the log tells method, route, status and time, and no name, query or password', async () => {
  const url = await cluster.startGateway()
  const gateway = cluster.gateways.at(-1)!
  await call(`${url}/files/very-secret.txt?download`, { method: 'PUT', body: 'x' })
  await call(`${url}/files/very-secret.txt?describe`)
  await call(`${url}/files/missing-secret`)
  await call(`${url}/?q=secret-search`)
  await call(`${url}/files/%zz-secret`)
  await gateway.waitFor(/GET \/ 200 in/)
  await gateway.kill('SIGTERM')
  assert.match(gateway.output(), /^[-\dT:.]+Z gateway info: PUT \/files\/\* 201 in \d+ ms$/m)
  assert.doesNotMatch(gateway.output(), /secret|alice|horse/)
})

test('a taken port, a wrong option and a broken conf are told in a sentence with a hint', async () => {
  const url = await cluster.startGateway()
  const { port } = new URL(url)
  const { dfcConfFile: conf, folder } = cluster
  for (const [args, sentence, code] of [
    [
      ['gateway', '--conf', conf, '--port', port, '--data', folder],
      /Port \d+ on 127\.0\.0\.1 is taken/,
      1,
    ],
    [['gateway', '--prot', '1'], /--prot/, 2],
    [['gate'], /fourfold gateway/, 2],
    [['gateway', '--conf', conf, '--port', 'x'], /--port: gateway\.port must be/, 1],
    [['gateway', '--conf', '/nowhere/dfc.conf'], /\/nowhere\/dfc\.conf does not exist/, 1],
  ] as const) {
    const running = startProcess({ args: [FOURFOLD, ...args] })
    await running.waitFor(sentence)
    await running.waitFor(/fourfold: hint: /)
    if (running.child.exitCode === null) await once(running.child, 'exit')
    assert.equal(running.child.exitCode, code, running.output())
  }
})
