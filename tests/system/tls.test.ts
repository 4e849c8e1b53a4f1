// TLS between gateway and nodes: a switch in the two conf files, under the same frames.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { dfcConfSchema, loadConf } from '@fourfold/conf'
import { createStore } from '../../gateway/dfs/create-store.ts'
import { PeerLink } from '../../storage-node/peer-link.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { gathered, ROW, seededBytes, streamed } from '../support/content.ts'
import { until } from '../support/ring.ts'
import { run } from '../support/run.ts'

let cluster: TestCluster | undefined
let noOpenssl: string | false = false

before(async () => {
  const version = await run('openssl', ['version']).catch(() => undefined)
  if (version === undefined) {
    noOpenssl = 'openssl is not here to make certificates with'
    return
  }
  cluster = await startCluster()
  await cluster.addUser('alice', 'alice-password')
  for (const name of ['node', 'stranger']) await makeCertificate(cluster.folder, name)
  const dfsConf = await readFile(cluster.dfsConfFile, 'utf8')
  await writeFile(
    cluster.dfsConfFile,
    `${dfsConf}\n[tls]\ncert_file = "node.pem"\nkey_file = "node.key"\nca_file = "node.pem"\n`,
  )
  const dfcConf = await readFile(cluster.dfcConfFile, 'utf8')
  for (const name of ['node', 'stranger']) {
    await writeFile(confFor(cluster, name), `${dfcConf}\n[tls]\nca_file = "${name}.pem"\n`)
  }
  for (const node of cluster.nodes) {
    await node.kill('SIGTERM')
    await node.start()
  }
})

after(() => cluster?.[Symbol.asyncDispose]())

async function makeCertificate(folder: string, name: string): Promise<void> {
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)]
  const subject = ['-subj', '/CN=fourfold', '-addext', 'subjectAltName=IP:127.0.0.1']
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const made = await run('openssl', ['req', ...kind, '-days', '2', ...files, ...subject])
  assert.equal(made.code, 0, made.stderr)
}

function confFor({ folder }: TestCluster, name: string): string {
  return join(folder, `dfc-${name}.conf`)
}

function running(context: TestContext): TestCluster | undefined {
  if (noOpenssl !== false) context.skip(noOpenssl)
  return cluster
}

test('with the CA of the nodes files go in and out, small and large', async (context) => {
  const at = running(context)
  if (at === undefined) return
  const conf = loadConf({ file: confFor(at, 'node'), schema: dfcConfSchema })
  const store = createStore({ conf })
  try {
    await store.ready()
    const alice = await store.signIn({ user: 'alice', password: 'alice-password', address: 'tls' })
    for (const size of [0, 1000, 12 * ROW + 1]) {
      const bytes = seededBytes(`tls ${size}`, size)
      await store.upload(alice, { name: 'file', source: streamed(bytes) })
      const { content } = await store.download(alice, { name: 'file' })
      assert.ok((await gathered(content)).equals(bytes))
    }
  } finally {
    await store.close()
  }
})

test('nodes whose certificate another CA signed are not believed, and the reason is told', async (context) => {
  const at = running(context)
  if (at === undefined) return
  const conf = loadConf({ file: confFor(at, 'stranger'), schema: dfcConfSchema })
  const store = createStore({ conf })
  try {
    await store.ready()
    for (const { health, reason } of store.nodes()) {
      assert.equal(health, 'down')
      assert.match(reason ?? '', /certificate/)
    }
  } finally {
    await store.close()
  }
})

test('nodes with the CA reach each other, and stay apart from one that has another key', async (context) => {
  const at = running(context)
  if (at === undefined) return
  const { port } = at.nodes[0]!
  const ca = await readFile(join(at.folder, 'node.pem'))
  const address = { node: 1, host: '127.0.0.1', port, tls: { ca } }
  const link = await PeerLink.open(address, at.clusterKey)
  await until('DFS1 is current', async () => {
    const { header } = await link.request('status', {})
    return header.repair.peers === 3 && header.repair.isCurrent
  })
  link.close()
  const stranger = PeerLink.open(address, Buffer.alloc(32))
  await assert.rejects(stranger, { code: 'AUTH_FAILED' })
})

test('a node that speaks TLS says nothing to plain TCP', async (context) => {
  const at = running(context)
  if (at === undefined) return
  const socket = connect(at.nodes[0]!.port, '127.0.0.1')
  const seen: Buffer[] = []
  socket.on('data', (bytes: Buffer) => seen.push(bytes))
  socket.on('error', () => {})
  socket.write(Buffer.alloc(64, 'x'))
  await once(socket, 'close')
  assert.equal(Buffer.concat(seen).includes('4F'), false)
})
