// Where a walk happens: a real cluster, two gateways that reach each node through a relay of their
// own, and one node whose disk can fill up. Breaks things and mends them; judges nothing.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import type { RunningProcess } from '../support/process.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { moveToSmallDisk, type SmallDisk } from '../support/small-disk.ts'
import { nodeStatus, scrubNode, whenGatewaySees } from '../support/watching.ts'

/** Short, so that a fault costs a walk seconds and not minutes; times `patience`. */
const gatewayConf = (patience: number) => [
  'accounts.rounds = 4096',
  `limits.connect_timeout_ms = ${1000 * patience}`,
  `limits.request_timeout_ms = ${3000 * patience}`,
  `limits.stall_timeout_ms = ${2000 * patience}`,
  `limits.slow_ms = ${300 * patience}`,
  'limits.ping_every_ms = 200',
  `limits.ping_timeout_ms = ${1500 * patience}`,
]
const DISK_BYTES = 192 * 1024 * 1024
const REPAIR_LIMIT_MS = 60_000

export const USERS = ['ann', 'ben', 'cleo'] as const
export const ALL_NODES = [1, 2, 3, 4]
export const password = (user: string) => `${user}'s password`

export interface TestGateway {
  url: string
  process: RunningProcess
  /** To node 1..4. */
  relays: Relay[]
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it anew, on another port. */
  start(): Promise<void>
}

export interface Arena extends AsyncDisposable {
  cluster: TestCluster
  gateways: TestGateway[]
  /** Through which the nodes reach node 1..4; empty unless asked for. */
  peerRelays: Relay[]
  /** The node (1..4) whose disk is small; undefined where this machine does not allow that. */
  smallDisk: number | undefined
  /** Leaves `leftBytes` free on the small disk; undefined frees all again. */
  fillDisk(leftBytes: number | undefined): Promise<void>
  /** Writes of a node beyond this offset of a file are cut short or fail; undefined: no limit. */
  limitFileSize(node: number, sizeBytes: number | undefined): void
  /** Waits until both gateways, or the one named, see exactly these nodes (1..4) up. */
  whenSeen(numbers: readonly number[], gateway?: 0 | 1): Promise<void>
  /** Waits until no node knows of anything that it lacks. */
  whenRepaired(): Promise<void>
  /** Waits until nothing is undecided and all nodes count the same files. */
  whenSettled(): Promise<void>
  /** Has a node read all that it holds; waits until no damage is left. */
  whenMended(node: number): Promise<void>
  /** Files of unfinished uploads, by node. */
  staged(): string[]
  /** The last lines of every process. */
  logs(): string
}

export interface ArenaOptions {
  /** The node (1..4) whose disk is to be small. Default: none. */
  smallDisk?: number
  /** The nodes reach each other through relays. Default: no. */
  hasPeerRelays?: boolean
  /** How long the nodes leave an undecided version to its gateway. */
  graceMs?: number
  /** For the nodes' processes. */
  nodeEnv?: NodeJS.ProcessEnv
  /** How much longer a node may take before it counts as silent; 1 in a quiet place. */
  patience?: number
}

export async function startArena(options: ArenaOptions = {}): Promise<Arena> {
  const { patience = 1, graceMs = 3000 * patience, nodeEnv = {} } = options
  const dfsConf = `settle.grace_ms = ${graceMs}\nrepair.look_every_ms = 200`
  const cluster = await startCluster({ dfsConf, nodeEnv })
  const relays: Relay[] = []
  let disk: SmallDisk | undefined
  try {
    for (const user of USERS) await cluster.addUser(user, password(user))
    const peerRelays = options.hasPeerRelays === true ? await relayPeers(cluster, relays) : []
    disk =
      options.smallDisk === undefined
        ? undefined
        : await moveToSmallDisk(cluster, options.smallDisk, { sizeBytes: DISK_BYTES })
    const gateways: TestGateway[] = []
    for (const index of [0, 1]) {
      const own = await Promise.all(cluster.nodes.map((node) => startRelay(() => node.port)))
      relays.push(...own)
      gateways.push(await startGateway(cluster, index, { relays: own, patience }))
    }
    const arena = createArena({
      ...{ cluster, gateways, relays, peerRelays, disk },
      smallDisk: options.smallDisk,
    })
    await arena.whenSeen(ALL_NODES)
    return arena
  } catch (error) {
    await close(cluster, relays, disk)
    throw error
  }
}

function createArena(parts: {
  cluster: TestCluster
  gateways: TestGateway[]
  relays: Relay[]
  peerRelays: Relay[]
  disk: SmallDisk | undefined
  smallDisk: number | undefined
}): Arena {
  const { cluster, gateways, relays, peerRelays, disk, smallDisk } = parts
  return {
    cluster,
    gateways,
    peerRelays,
    smallDisk: disk === undefined ? undefined : smallDisk,
    fillDisk: async (leftBytes) => disk?.fill(leftBytes),
    limitFileSize(node, sizeBytes) {
      const { pid } = cluster.nodes[node - 1]!.process.child
      const limit = sizeBytes === undefined ? 'unlimited' : String(sizeBytes)
      execFileSync('prlimit', [`--pid=${pid}`, `--fsize=${limit}:unlimited`])
    },
    async whenSeen(numbers, gateway) {
      const asked = gateway === undefined ? gateways : [gateways[gateway]!]
      for (const { url } of asked) await whenGatewaySees(url, numbers)
    },
    whenRepaired: () =>
      untilAll(cluster, 'repaired', ({ repair }) => {
        return repair.isCurrent && !repair.isRunning && repair.missingParts === 0
      }),
    whenSettled: () =>
      untilAll(cluster, 'settled', ({ undecided, files }, [first]) => {
        return undecided === 0 && files === first!.files
      }),
    whenMended: (node) => untilMended(cluster, node),
    staged: () =>
      cluster.nodes.flatMap(({ number, folder }) =>
        readdirSync(join(folder, 'staging')).map((name) => `DFS${number}: ${name}`),
      ),
    logs() {
      const all = [
        ...cluster.nodes.map(({ number, process }) => [`DFS${number}`, process] as const),
        ...gateways.map(({ process }, index) => [`gateway ${index}`, process] as const),
      ]
      return all.map(([name, { output }]) => `--- ${name}\n${tail(output())}`).join('\n')
    },
    [Symbol.asyncDispose]: () => close(cluster, relays, disk),
  }
}

/** Has the nodes begin anew, with a relay in front of each for the others; all go into `relays`. */
async function relayPeers(cluster: TestCluster, relays: Relay[]): Promise<Relay[]> {
  const own = await Promise.all(cluster.nodes.map((node) => startRelay(() => node.port)))
  relays.push(...own)
  const conf = await readFile(cluster.dfsConfFile, 'utf8')
  const addresses = own.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')
  await writeFile(cluster.dfsConfFile, conf.replace(/^peers = .*$/m, `peers = [${addresses}]`))
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGTERM')))
  await Promise.all(cluster.nodes.map((node) => node.start()))
  return own
}

type Status = Awaited<ReturnType<typeof nodeStatus>>

async function untilAll(
  cluster: TestCluster,
  what: string,
  isReached: (status: Status, all: readonly Status[]) => boolean,
): Promise<void> {
  const deadlineMs = performance.now() + REPAIR_LIMIT_MS
  for (;;) {
    const states = await Promise.all(ALL_NODES.map((node) => nodeStatus(cluster, node)))
    if (states.every((state) => isReached(state, states))) return
    if (performance.now() > deadlineMs) throw new Error(`not ${what}: ${JSON.stringify(states)}`)
    await wait(50)
  }
}

/** @throws Error where something is lost, or a pass that found nothing does not come */
async function untilMended(cluster: TestCluster, node: number): Promise<void> {
  const deadlineMs = performance.now() + REPAIR_LIMIT_MS
  await scrubNode(cluster, node)
  for (;;) {
    await wait(50)
    const { scrub, repair } = await nodeStatus(cluster, node)
    const isOver = !scrub.isRunning && scrub.mended >= scrub.damaged && repair.missingParts === 0
    if (isOver && scrub.damaged === 0 && repair.lostParts === 0) return
    const state = JSON.stringify({ scrub, repair })
    if (performance.now() > deadlineMs) throw new Error(`DFS${node} is not mended: ${state}`)
    // What was found was mended: a second pass shows that it holds.
    if (isOver && scrub.damaged > 0) await scrubNode(cluster, node)
  }
}

async function startGateway(
  cluster: TestCluster,
  index: number,
  { relays, patience }: { relays: Relay[]; patience: number },
): Promise<TestGateway> {
  const confFile = join(cluster.folder, `gateway-${index}.conf`)
  const addresses = relays.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')
  const nodes = `nodes = [${addresses}]`
  const conf = [nodes, 'cluster_key_file = "cluster.key"', ...gatewayConf(patience)]
  await writeFile(confFile, conf.join('\n'))
  const gateway: TestGateway = {
    url: '',
    process: undefined as unknown as RunningProcess,
    relays,
    kill: (signal = 'SIGKILL') => gateway.process.kill(signal),
    async start() {
      gateway.url = await cluster.startGateway(confFile)
      gateway.process = cluster.gateways.at(-1)!
    },
  }
  await gateway.start()
  return gateway
}

async function close(cluster: TestCluster, relays: Relay[], disk: SmallDisk | undefined) {
  // A stopped process ends by SIGKILL all the same, but its mount is busy until then.
  await Promise.all(cluster.gateways.map((gateway) => gateway.kill('SIGKILL')))
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGKILL')))
  await Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]()))
  disk?.unmount()
  await cluster[Symbol.asyncDispose]()
}

function tail(text: string): string {
  const lines = text.split('\n').filter((line) => !/"route":"\/readyz"/.test(line))
  return lines.slice(-15).join('\n').trim()
}

/** Every part file of a node. */
export function partFiles(folder: string): string[] {
  const parts = join(folder, 'parts')
  return readdirSync(parts).flatMap((inner) =>
    readdirSync(join(parts, inner)).map((name) => join(parts, inner, name)),
  )
}
