// `npm run bench`: speed, processor time and memory of one upload and one download, small and
// large, each against a cluster of its own, so that each peak is its own. `--large SIZE` and
// `--small SIZE` in MiB.
import { parseArgs } from 'node:util'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { costOf } from './process-cost.ts'
import { download, upload } from './transfer.ts'

const MIB = 1_048_576
const CREDENTIALS = { user: 'bench', password: 'bench-password' }

interface Row {
  what: string
  mbPerSecond: number
  gatewayCpuPerGib: number
  nodesCpuPerGib: number
  gatewayPeakMib: number
  /** Of the node that used most. */
  nodePeakMib: number
}

const { values } = parseArgs({
  options: {
    small: { type: 'string', default: '64' },
    large: { type: 'string', default: '4096' },
    folder: { type: 'string' },
  },
})

const rows: Row[] = []
for (const sizeMib of [Number(values.small), Number(values.large)]) {
  rows.push(...(await measure(sizeMib)))
}
print(rows)

async function measure(sizeMib: number): Promise<Row[]> {
  const folder = values.folder
  await using cluster = await startCluster({ gateways: 1, ...(folder && { parent: folder }) })
  await cluster.addUser(CREDENTIALS.user, CREDENTIALS.password)
  const { user, password } = CREDENTIALS
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const transfer = {
    url: `${cluster.urls[0]}/files/large`,
    authorization,
    sizeBytes: sizeMib * MIB,
  }
  // Sign-in, connections and compiled code are not what is measured.
  await upload({ ...transfer, url: `${cluster.urls[0]}/files/warm`, sizeBytes: 8 * MIB })
  const sent = await measured(cluster, `upload ${sizeMib} MiB`, sizeMib, () => upload(transfer))
  const got = await measured(cluster, `download ${sizeMib} MiB`, sizeMib, () => download(transfer))
  if (sent.md5 !== got.md5) throw new Error('what came back is not what was sent')
  return [sent.row, got.row]
}

async function measured(
  cluster: TestCluster,
  what: string,
  sizeMib: number,
  run: () => Promise<{ seconds: number; md5: string }>,
): Promise<{ row: Row; md5: string }> {
  const gatewayPid = cluster.gateways[0]!.child.pid!
  const nodePids = cluster.nodes.map((node) => node.process.child.pid!)
  const cpuOf = (pids: number[]) => pids.reduce((sum, pid) => sum + costOf(pid).cpuSeconds, 0)
  const before = { gateway: cpuOf([gatewayPid]), nodes: cpuOf(nodePids) }
  const { seconds, md5 } = await run()
  const gib = sizeMib / 1024
  const peakMib = (pids: number[]) => Math.max(...pids.map((pid) => costOf(pid).peakRssBytes)) / MIB
  const row: Row = {
    what,
    mbPerSecond: (sizeMib * MIB) / 1e6 / seconds,
    gatewayCpuPerGib: (cpuOf([gatewayPid]) - before.gateway) / gib,
    nodesCpuPerGib: (cpuOf(nodePids) - before.nodes) / gib,
    gatewayPeakMib: peakMib([gatewayPid]),
    nodePeakMib: peakMib(nodePids),
  }
  return { row, md5 }
}

function print(all: readonly Row[]): void {
  const round = (value: number) => Math.round(value * 100) / 100
  console.table(
    all.map((row) => ({
      what: row.what,
      'MB/s': Math.round(row.mbPerSecond),
      'gateway CPU s/GiB': round(row.gatewayCpuPerGib),
      'nodes CPU s/GiB': round(row.nodesCpuPerGib),
      'gateway peak MiB': Math.round(row.gatewayPeakMib),
      'node peak MiB': Math.round(row.nodePeakMib),
    })),
  )
  const half = all.length / 2
  for (const [at, small] of all.slice(0, half).entries()) {
    const large = all[half + at]!
    const gateway = round(large.gatewayPeakMib / small.gatewayPeakMib)
    const node = round(large.nodePeakMib / small.nodePeakMib)
    console.log(`${large.what} ÷ ${small.what}: gateway memory ${gateway}, node memory ${node}`)
  }
}
