// A cluster that is measured: four nodes and a gateway on a folder, one signed-in user, warmed up,
// and what it cost between two moments.
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { dfcConfSchema, loadConf } from '@fourfold/conf'
import { workerCountBesideNodes } from '../../gateway/start/workers.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { costOfFamily } from './process-cost.ts'
import { runSmall } from './small-load.ts'
import { get, put, type Target } from './transfer.ts'

const MIB = 1_048_576
const CONF = fileURLToPath(new URL('../../conf/dfc.conf', import.meta.url))
const USER = 'bench'
const PASSWORD = 'bench-password'
/**
 * Small files run through much more code than large ones, and V8 compiles what runs often: at first
 * a PUT costs twice what it costs after some ten thousand of them.
 */
const WARM_PUT_MS = 20_000
const WARM_GET_MS = 10_000

/** As many as `npm start` has here, for the four nodes share the machine in both. */
const WORKERS = workerCountBesideNodes(
  loadConf({ file: CONF, schema: dfcConfSchema }),
  availableParallelism(),
)

export interface Stage extends AsyncDisposable {
  cluster: TestCluster
  target: Target
}

/** What one measured run cost. */
export interface Spent {
  seconds: number
  gatewayCpu: number
  nodesCpu: number
  gatewayPeakMib: number
  /** Of the node that used most. */
  nodePeakMib: number
}

/** `warm`: sign-in, connections, compiled code and fresh memory are not what is measured. */
export async function openStage(options: {
  parent: string
  warm: 'nothing' | 'large files' | 'all'
  dfcConf?: string
}): Promise<Stage> {
  const { parent, warm, dfcConf } = options
  const cluster = await startCluster({
    gateways: 1,
    parent,
    dfcConf: `gateway.workers = ${WORKERS}\n${dfcConf ?? ''}`,
  })
  await cluster.addUser(USER, PASSWORD)
  const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
  const target = { url: cluster.urls[0]!, authorization }
  await get(target, '/files')
  if (warm !== 'nothing') {
    await put(target, '/files/warm', 64 * MIB)
    await get(target, '/files/warm')
  }
  if (warm === 'all') {
    const load = { target, path: '/files/warm-{name}', connections: 16 }
    await runSmall({ ...load, method: 'PUT', lasts: WARM_PUT_MS })
    await runSmall({ ...load, method: 'GET', lasts: WARM_GET_MS })
  }
  return { cluster, target, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() }
}

export async function measured<T>(
  { cluster }: Stage,
  run: () => Promise<T>,
): Promise<{ result: T; spent: Spent }> {
  const gateway = () => costOfFamily(cluster.gateways[0]!.child.pid!)
  const nodes = () => cluster.nodes.map((node) => costOfFamily(node.process.child.pid!))
  const cpu = (costs: { cpuSeconds: number }[]) =>
    costs.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)
  const before = { gateway: gateway().cpuSeconds, nodes: cpu(nodes()) }
  const startedMs = performance.now()
  const result = await run()
  const seconds = (performance.now() - startedMs) / 1000
  const [gatewayCost, nodeCosts] = [gateway(), nodes()]
  const spent = {
    seconds,
    gatewayCpu: gatewayCost.cpuSeconds - before.gateway,
    nodesCpu: cpu(nodeCosts) - before.nodes,
    gatewayPeakMib: gatewayCost.peakRssBytes / MIB,
    nodePeakMib: Math.max(...nodeCosts.map(({ peakRssBytes }) => peakRssBytes)) / MIB,
  }
  return { result, spent }
}
