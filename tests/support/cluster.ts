// A real cluster for a test: four storage-node processes that know each other and, where wanted,
// gateways, in a temporary folder, on free ports. Everything it started ends with it.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dfcConfSchema, loadConf } from '@fourfold/conf'
import { createStore } from '../../gateway/dfs/create-store.ts'
import type { Store } from '../../gateway/dfs/store.ts'
import { fourFreePorts } from './ports.ts'
import { type RunningProcess, startProcess } from './process.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The least that RFC 7677 allows: a test's passwords guard nothing. */
const TEST_ROUNDS = 4096

export interface ClusterOptions {
  /** Gateways to start; default none. */
  gateways?: number
  /** Lines for dfs.conf and dfc.conf beside the defaults of tests. */
  dfsConf?: string
  dfcConf?: string
  /** For the nodes' processes, beside this one's. */
  nodeEnv?: NodeJS.ProcessEnv
  /** Where to put the folder; default the system's temporary folder. */
  parent?: string
}

export interface TestNode {
  /** 1..4 */
  number: number
  folder: string
  port: number
  process: RunningProcess
  /** Ends it (default SIGKILL). */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on its folder and port. */
  start(): Promise<void>
}

export interface TestCluster extends AsyncDisposable {
  folder: string
  clusterKey: Buffer
  dfsConfFile: string
  dfcConfFile: string
  nodes: TestNode[]
  /** Addresses of the gateways, like `http://127.0.0.1:4711`. */
  urls: string[]
  gateways: RunningProcess[]
  /** A DFS client of this process; closed with the cluster. Connected to all nodes that are up. */
  store(): Promise<Store>
  addUser(user: string, password: string): Promise<void>
  /** A file like the cluster's dfc.conf, with one more line. */
  confWith(line: string): Promise<string>
  /**
   * Starts one more gateway, with `confFile` in place of the cluster's and `data` in place of a
   * folder of its own; answers its address.
   */
  startGateway(confFile?: string, data?: string): Promise<string>
  /** Waits until `store` sees exactly these nodes (1..4) up. */
  whenUp(store: Store, numbers: readonly number[]): Promise<void>
}

export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const folder = await mkdtemp(join(options.parent ?? tmpdir(), 'fourfold-'))
  const clusterKey = randomBytes(32)
  const keyFile = join(folder, 'cluster.key')
  await writeFile(keyFile, `${clusterKey.toString('hex')}\n`, { mode: 0o600 })
  const dfsConfFile = join(folder, 'dfs.conf')
  const ports = await fourFreePorts()
  const addresses = ports.map((port) => `"127.0.0.1:${port}"`).join(', ')
  await writeFile(
    dfsConfFile,
    confText(
      'cluster_key_file = "cluster.key"',
      options.dfsConf?.includes('disk.reserve_bytes') ? undefined : 'disk.reserve_bytes = 0',
      `peers = [${addresses}]`,
      options.dfsConf,
    ),
  )
  const nodes = ports.map((port, index) =>
    newNode({ number: index + 1, port, env: options.nodeEnv ?? {} }, folder, dfsConfFile),
  )
  const dfcConfFile = join(folder, 'dfc.conf')
  await writeFile(
    dfcConfFile,
    confText(
      `nodes = [${addresses}]`,
      'cluster_key_file = "cluster.key"',
      // Tests are of one process, whatever cores there are; those of several say so.
      options.dfcConf?.includes('gateway.workers') ? undefined : 'gateway.workers = 1',
      options.dfcConf,
    ),
  )
  const stores: Store[] = []
  const cluster: TestCluster = {
    folder,
    clusterKey,
    dfsConfFile,
    dfcConfFile,
    nodes,
    urls: [],
    gateways: [],
    whenUp,
    async store() {
      const conf = loadConf({ file: dfcConfFile, schema: dfcConfSchema })
      const store = createStore({ conf, clusterKey })
      stores.push(store)
      await store.ready()
      return store
    },
    async confWith(line) {
      const file = join(folder, `dfc-${randomBytes(4).toString('hex')}.conf`)
      // First: dotted keys come before any table.
      await writeFile(file, `${line}\n${await readFile(dfcConfFile, 'utf8')}`)
      return file
    },
    startGateway: (confFile = dfcConfFile, data = undefined) =>
      startGateway(cluster, confFile, data),
    async addUser(user, password) {
      const store = await cluster.store()
      await store.accounts.add({ user, password })
      // A client that nobody uses would still come and go at nodes whose connections a test counts.
      await store.close()
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()))
      await Promise.all(cluster.gateways.map((gateway) => gateway.kill('SIGKILL')))
      await Promise.all(nodes.map((node) => node.process?.kill('SIGKILL')))
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    await Promise.all(nodes.map((node) => node.start()))
    for (let count = 0; count < (options.gateways ?? 0); count++) await cluster.startGateway()
    return cluster
  } catch (error) {
    // Processes that go on would keep the test from ending, and from telling what was wrong.
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

function newNode(
  { number, port, env }: { number: number; port: number; env: NodeJS.ProcessEnv },
  parent: string,
  confFile: string,
): TestNode {
  const folder = join(parent, `DFS${number}`)
  const node: TestNode = {
    number,
    folder,
    port,
    process: undefined as unknown as RunningProcess,
    kill: (signal = 'SIGKILL') => node.process.kill(signal),
    async start() {
      const file = join(ROOT, 'storage-node/bin/dfs.js')
      const args = [file, folder, String(node.port), '--conf', confFile]
      node.process = startProcess({ args, env })
      await node.process.waitFor(/listens on [^\n]*:\d+/)
    },
  }
  return node
}

async function startGateway(
  cluster: TestCluster,
  confFile: string,
  data = join(cluster.folder, `gateway-${cluster.gateways.length}`),
): Promise<string> {
  const file = join(ROOT, 'gateway/bin/fourfold.js')
  const gateway = startProcess({
    args: [file, 'gateway', '--conf', confFile, '--port', '0', '--data', data],
  })
  cluster.gateways.push(gateway)
  const [, address] = await gateway.waitFor(/listens on (http\S+)/)
  const url = address!.replace(/\/$/, '')
  cluster.urls.push(url)
  return url
}

function whenUp(store: Store, numbers: readonly number[]): Promise<void> {
  const isRight = () =>
    store.nodes().every(({ health }, index) => (health === 'up') === numbers.includes(index + 1))
  return new Promise((resolve, reject) => {
    const finish = (end: () => void) => {
      clearTimeout(timer)
      stop()
      end()
    }
    const timer = setTimeout(() => {
      const seen = store.nodes().map(({ name, health }) => `${name} ${health}`)
      finish(() => reject(new Error(`nodes ${numbers} were to be up; seen: ${seen}`)))
    }, 20_000)
    const check = () => isRight() && finish(resolve)
    const stop = store.onNodesChange(check)
    check()
  })
}

/** TOML with our lines first: dotted keys at the top, before any table of `extra`. */
function confText(...lines: (string | undefined)[]): string {
  return [`accounts.rounds = ${TEST_ROUNDS}`, ...lines]
    .filter((line) => line !== undefined)
    .join('\n')
}
