// `npm start`: four nodes and the gateway as five processes of one machine, the first account,
// and a clean stop of all. For trying out and for one machine; four machines run `dfs` and
// `fourfold gateway` themselves.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { type DfcConf, dfcConfSchema, loadConf, type Override } from '@fourfold/conf'
import { codes, DfsError, nodeName, toDfsError } from '@fourfold/storage-node/protocol'
import { type Child, startChild } from './child.ts'
import { type FirstAccount, makeFirstAccount } from './first-account.ts'
import { readSettings, type Settings } from './settings.ts'
import { workerCountBesideNodes } from './workers.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DFS = resolve(ROOT, 'storage-node/bin/dfs.js')
const FOURFOLD = resolve(ROOT, 'gateway/bin/fourfold.js')
const CONF = resolve(ROOT, 'conf/dfc.conf')
const NODE_HOST = '127.0.0.1'
const NODES = [0, 1, 2, 3]

/** The gateway lets requests finish for ten seconds; nodes have only to close their catalogs. */
const GATEWAY_STOP_MS = 12_000
const NODE_STOP_MS = 10_000

interface Family {
  nodes: Child[]
  gateway?: Child
}

export async function startEverything(): Promise<void> {
  const children: Family = { nodes: [] }
  const stop = stopOnSignal(children)
  try {
    const settings = readSettings(process.env)
    await requireFreePorts(settings)
    const addresses = (await nodePorts(settings)).map((port) => `${NODE_HOST}:${port}`)
    await startNodes(settings, addresses, children)
    if (stop.isStopping) return
    const overrides = overridesOf(settings, addresses)
    const conf = loadConf({ file: CONF, schema: dfcConfSchema, overrides })
    const { user, password } = settings
    const account = await makeFirstAccount(conf, { user, ...(password && { password }) })
    children.gateway = await startGateway(settings, addresses, conf)
    if (stop.isStopping) return
    process.stdout.write(greeting(children.gateway.match[1]!, settings, account))
  } catch (thrown) {
    if (stop.isStopping) return
    tell(toDfsError(thrown))
    await stopAll(children)
    process.exit(1)
  }
}

async function startNodes(
  { data }: Settings,
  addresses: readonly string[],
  children: Family,
): Promise<void> {
  const starts = NODES.map((node) => {
    const name = nodeName(node)
    const folder = resolve(data, name)
    const key = ['--cluster-key', resolve(data, 'cluster.key')]
    return startChild({
      name,
      say,
      ready: /listens on \S*?:(\d+)[,\s]/,
      command: () => {
        const port = addresses[node]!.split(':')[1]!
        return [DFS, folder, port, '--host', NODE_HOST, '--peers', addresses.join(), ...key]
      },
    }).then((child) => {
      children.nodes[node] = child
    })
  })
  const failed = (await Promise.allSettled(starts)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/** The nodes must know each other's ports before they listen: so those are chosen here. */
async function nodePorts({ nodePort }: Settings): Promise<number[]> {
  if (nodePort > 0) return NODES.map((node) => nodePort + node)
  const probes = NODES.map(() => createServer())
  const ports = await Promise.all(
    probes.map(async (probe) => {
      await once(probe.listen({ host: NODE_HOST, port: 0 }), 'listening')
      return (probe.address() as AddressInfo).port
    }),
  )
  await Promise.all(probes.map((probe) => once(probe.close(), 'close')))
  return ports
}

function startGateway(
  { host, port, data }: Settings,
  addresses: string[],
  conf: DfcConf,
): Promise<Child> {
  const workers = workerCountBesideNodes(conf, availableParallelism())
  return startChild({
    name: 'gateway',
    say,
    ready: /gateway listens on (\S+)/,
    command: (last) => {
      const at = last === undefined ? String(port) : (URL.parse(last[1]!)?.port ?? String(port))
      const listen = ['--host', host, '--port', at, '--data', data]
      const cluster = ['--nodes', addresses.join(), '--cluster-key', resolve(data, 'cluster.key')]
      const self = ['--conf', CONF, '--workers', String(workers), '--log', 'warn']
      return [FOURFOLD, 'gateway', ...self, ...listen, ...cluster]
    },
  })
}

function overridesOf({ data }: Settings, addresses: string[]): Override[] {
  return [
    { key: 'nodes', value: addresses, from: 'FOURFOLD_NODE_PORT' },
    { key: 'cluster_key_file', value: resolve(data, 'cluster.key'), from: 'FOURFOLD_DATA' },
  ]
}

/** Looks before anything is started, so that the sentence can name the variable. */
async function requireFreePorts({ host, port, nodePort }: Settings): Promise<void> {
  await requireFreePort(host, port, 'PORT')
  if (nodePort === 0) return
  for (const node of NODES) await requireFreePort(NODE_HOST, nodePort + node, 'FOURFOLD_NODE_PORT')
}

function requireFreePort(host: string, port: number, variable: string): Promise<void> {
  const probe = createServer()
  return new Promise((resolvePort, reject) => {
    probe.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE' ? 'is taken by another program' : `fails (${cause.code})`
      const advice = `set ${variable} to another port`
      const message = `Port ${port} on ${host} ${why}. Stop that program, or ${advice}.`
      reject(new DfsError('PORT_IN_USE', message, { cause }))
    })
    probe.listen({ host, port }, () => probe.close(() => resolvePort()))
  })
}

function greeting(address: string, { data }: Settings, account: FirstAccount | undefined): string {
  const lines = ['', 'Fourfold is ready.', '', `  Address    ${address}`]
  if (account === undefined)
    lines.push('  Sign in    as before; the data of the last start is here')
  else if (account.madePassword === undefined) {
    lines.push(`  User       ${account.user}`, '  Password   as FOURFOLD_PASSWORD says')
  } else {
    lines.push(`  User       ${account.user}`, `  Password   ${account.madePassword}`)
    lines.push('             Write it down: it is not shown again, and nobody can look it up.')
  }
  lines.push(`  Data       ${data}`, '', '  Ctrl-C stops all five processes.', '', '')
  return lines.join('\n')
}

function stopOnSignal(children: Family): { isStopping: boolean } {
  const state = { isStopping: false }
  const onSignal = () => {
    // Impatience: the processes end by themselves when this one is gone.
    if (state.isStopping) process.exit(1)
    state.isStopping = true
    process.stdout.write('\nStopping the gateway and the four nodes.\n')
    stopAll(children).then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return state
}

/** The gateway first, so that what it has under way can still be written. */
async function stopAll({ nodes, gateway }: Family): Promise<void> {
  await gateway?.stop(GATEWAY_STOP_MS)
  // While nodes start there are holes in the list; those processes end when this one does.
  await Promise.all(nodes.map((node) => node?.stop(NODE_STOP_MS)))
}

const WIDEST_NAME = 'gateway'.length

function say(name: string, line: string): void {
  process.stdout.write(`${name.padEnd(WIDEST_NAME)} | ${line}\n`)
}

function tell(error: DfsError): void {
  const sentence = error.code === 'INTERNAL' ? (error.stack ?? error.message) : error.message
  process.stderr.write(`fourfold: ${sentence}\nfourfold: hint: ${codes[error.code].hint}\n`)
}
