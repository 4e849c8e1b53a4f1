// One storage node for a test: in this process, or as a process of its own that may be killed; in a
// temporary folder, on a free port, with one account.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DfsConf, dfsConfSchema } from '@fourfold/conf'
import { withDefaults } from '@fourfold/storage-node/protocol'
import { createLog } from '../../storage-node/log.ts'
import { createNode } from '../../storage-node/node.ts'
import { type RunningProcess, startProcess } from './process.ts'
import { accountOf, type Prover, WireClient } from './wire-client.ts'

const PROGRAM = fileURLToPath(new URL('../../storage-node/bin/dfs.js', import.meta.url))

export interface TestNode extends AsyncDisposable {
  readonly folder: string
  readonly clusterKey: Buffer
  readonly port: number
  /** The user `alice`, whose account is there. */
  readonly alice: Prover
  /** The operator; `user` where somebody is meant. */
  cluster(user?: string): Prover
  connect(): Promise<WireClient>
  /** Makes one more account. */
  addUser(user: string): Promise<Prover>
  /** Stops it cleanly and starts it again on the same folder. */
  restart(): Promise<void>
}

export interface TestNodeOptions {
  node?: number
  limits?: Partial<DfsConf['limits']>
  staging?: Partial<DfsConf['staging']>
  disk?: Partial<DfsConf['disk']>
}

/** The settings of conf/dfs.conf's defaults, with what the test needs otherwise. */
export function testConf(options: TestNodeOptions = {}): DfsConf {
  const conf = withDefaults(dfsConfSchema, {}) as DfsConf
  conf.disk.reserve_bytes = 0
  for (const table of ['limits', 'staging', 'disk'] as const) {
    Object.assign(conf[table], options[table])
  }
  return conf
}

/** A folder below the system's temporary one; `remove` takes it away. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'fourfold-node-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** A node in this process. */
export async function startTestNode(options: TestNodeOptions = {}): Promise<TestNode> {
  const { node = 1 } = options
  const { path, remove } = temporaryFolder()
  const clusterKey = randomBytes(32)
  const log = createLog({ name: `DFS${node}`, level: 'warn' })
  const conf = testConf(options)
  const start = () => createNode({ folder: `${path}/DFS`, port: 0, node, clusterKey, conf, log })
  let running = await start()
  const test = testNode({ folder: `${path}/DFS`, clusterKey, portOf: () => running.port })
  return Object.assign(await test, {
    async restart() {
      await running.close()
      running = await start()
    },
    async [Symbol.asyncDispose]() {
      await running.close()
      remove()
    },
  })
}

export interface ProcessOptions {
  /** Arguments for strace, which then runs the node and writes to `traceFile`. */
  trace?: readonly string[]
  env?: NodeJS.ProcessEnv
}

export interface NodeProcess extends TestNode {
  readonly process: RunningProcess
  readonly traceFile: string
  kill(signal?: NodeJS.Signals): Promise<void>
  restart(options?: ProcessOptions): Promise<void>
}

/** A node as a process of its own, which `kill` ends without warning. */
export async function startNodeProcess(options: ProcessOptions = {}): Promise<NodeProcess> {
  const { path, remove } = temporaryFolder()
  const clusterKey = randomBytes(32)
  const folder = `${path}/DFS1`
  const traceFile = `${path}/trace`
  writeFileSync(`${path}/key`, clusterKey.toString('hex'), { mode: 0o600 })
  writeFileSync(`${path}/dfs.conf`, 'cluster_key_file = "key"\ndisk.reserve_bytes = 0\n')
  let port = 0
  const launch = async ({ trace, env = {} }: ProcessOptions) => {
    const args = [PROGRAM, folder, '0', '--conf', `${path}/dfs.conf`]
    const child =
      trace === undefined
        ? startProcess({ args, env })
        : startProcess({
            command: 'strace',
            args: ['-f', '-D', '-s', '64', '-o', traceFile, ...trace, process.execPath, ...args],
            env,
          })
    const [, found] = await child.waitFor(/listens on 127\.0\.0\.1:(\d+)/)
    port = Number(found)
    return child
  }
  let child = await launch(options)
  const test = await testNode({ folder, clusterKey, portOf: () => port })
  return Object.defineProperties(test, {
    process: { get: () => child },
    traceFile: { value: traceFile },
    kill: { value: (signal: NodeJS.Signals = 'SIGKILL') => child.kill(signal) },
    restart: {
      async value(restartOptions: ProcessOptions = {}) {
        await child.kill('SIGTERM')
        child = await launch(restartOptions)
      },
    },
    [Symbol.asyncDispose]: {
      async value() {
        await child.kill('SIGKILL')
        remove()
      },
    },
  }) as unknown as NodeProcess
}

async function testNode(options: {
  folder: string
  clusterKey: Buffer
  portOf: () => number
}): Promise<TestNode> {
  const { folder, clusterKey, portOf } = options
  const cluster = (user = ''): Prover => ({ by: 'cluster', user, key: clusterKey })
  const addUser = async (user: string): Promise<Prover> => {
    const key = randomBytes(32)
    await using client = await WireClient.connect(portOf())
    await client.request(
      'account-prepare',
      { account: accountOf(user, key) },
      { as: cluster(user) },
    )
    await client.request('account-commit', { change: 1 }, { as: cluster(user) })
    return { by: 'user', user, key }
  }
  const base = {
    folder,
    clusterKey,
    cluster,
    addUser,
    connect: () => WireClient.connect(portOf()),
    restart: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  const test = Object.defineProperty(base, 'port', { get: portOf }) as typeof base & {
    port: number
  }
  return Object.assign(test, { alice: await addUser('alice') })
}
