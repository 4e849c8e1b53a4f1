// How long programs take until they are of use, and what processor time that costs: a node, a
// gateway, and `dfc list` from beginning to end. `npm run bench -- --startup`.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { startProcess } from '../support/process.ts'
import { costOf, costOfFamily } from './process-cost.ts'

const USER = 'bench'
const PASSWORD = 'bench-password'
const DFC = fileURLToPath(new URL('../../gateway/bin/dfc.js', import.meta.url))
const TIMES = 5

interface Start {
  wallMs: number
  /** User and system time of the process. */
  cpuMs: number
}

/** Medians of five starts each; the first of all, which fills the compile cache, is left out. */
export async function printStartup(): Promise<void> {
  // As on a machine of its own: two workers, of which the first listens before the second starts.
  await using cluster = await startCluster({ gateways: 1, dfcConf: 'gateway.workers = 2' })
  await cluster.addUser(USER, PASSWORD)
  const rows = {
    'a node listens': await median(() => startNode(cluster)),
    'a gateway listens': await median(() => startGateway(cluster)),
    'dfc list has ended': await median(() => listOnce(cluster)),
  }
  console.table(rows)
}

async function startNode({ nodes }: TestCluster): Promise<Start> {
  const [node] = nodes
  await node!.kill('SIGTERM')
  const begun = performance.now()
  await node!.start()
  return { wallMs: performance.now() - begun, cpuMs: cpuMsOf(node!.process.child.pid!) }
}

async function startGateway(cluster: TestCluster): Promise<Start> {
  const begun = performance.now()
  await cluster.startGateway()
  const wallMs = performance.now() - begun
  const gateway = cluster.gateways.at(-1)!
  const cpuMs = costOfFamily(gateway.child.pid!).cpuSeconds * 1000
  await gateway.kill('SIGKILL')
  return { wallMs, cpuMs }
}

async function listOnce(cluster: TestCluster): Promise<Start> {
  const env = { DFC_USER: USER, DFC_PASSWORD: PASSWORD }
  const beforeMs = endedChildrenCpuMs()
  const begun = performance.now()
  const { child } = startProcess({ args: [DFC, cluster.dfcConfFile, 'list'], env })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`dfc list ended with ${code}`)
  return { wallMs: performance.now() - begun, cpuMs: endedChildrenCpuMs() - beforeMs }
}

async function median(run: () => Promise<Start>): Promise<Start> {
  await run()
  const starts: Start[] = []
  for (let time = 0; time < TIMES; time++) starts.push(await run())
  const middle = (values: number[]) => {
    return Math.round(values.sort((a, b) => a - b)[Math.floor(TIMES / 2)]!)
  }
  return {
    wallMs: middle(starts.map(({ wallMs }) => wallMs)),
    cpuMs: middle(starts.map(({ cpuMs }) => cpuMs)),
  }
}

/** User and system time (proc(5), fields 14 to 17; a tick is 10 ms). */
function cpuMsOf(pid: number): number {
  return costOf(pid).cpuSeconds * 1000
}

function endedChildrenCpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}
