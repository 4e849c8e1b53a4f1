// What listings cost as files become many: a thousand to a million of one user, cold and warm, and
// how long a node that has them takes to start. `npm run bench -- --scale 1000000`.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { request } from 'undici'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { keptListing, residentBytes } from '../support/watching.ts'
import { fillCatalogs, nameOfFile } from './catalogs.ts'
import { costOf } from './process-cost.ts'

const PASSWORD = 'bench-password'
const WARM_TIMES = 21
/** With fewer files a gateway keeps nothing of a listing for its next start. */
const MIN_KEPT_FILES = 5000
/** It is written late and slowly. */
const MAX_KEEP_MS = 120_000

export interface ScaleRow {
  files: number
  coldMs: number
  /** Processor time of the gateway and of the nodes for it. */
  coldGatewayCpuMs: number
  coldNodesCpuMs: number
  warmMs: number
  sizeOrderMs: number
  folderMs: number
  searchMs: number
  /** From the answer to an upload at one gateway to its file in a listing at another. */
  seenMs: number
  /** All rows as lines, from a gateway that has them. */
  linesMs: number
  /** The same from one that has just started. */
  coldLinesMs: number
  /** The first page and all rows from one that listed them before it started again. */
  againMs: number
  againLinesMs: number
  bytesPerFile: number
}

/** One row for each power of ten up to `most`, and node start times in ms with all of them. */
export async function measureScale(most: number): Promise<{ rows: ScaleRow[]; startMs: number[] }> {
  const counts = [1000, 10_000, 100_000, 1_000_000].filter((count) => count <= most)
  // One process, whose memory and time are the gateway's.
  await using cluster = await startCluster({ dfcConf: 'gateway.workers = 1' })
  await fill(cluster, counts)
  await leaveEachOther(cluster)
  const startMs: number[] = []
  for (const node of cluster.nodes) {
    const begun = performance.now()
    await node.start()
    startMs.push(performance.now() - begun)
  }
  const rows: ScaleRow[] = []
  for (const files of counts) rows.push(await measure(cluster, files))
  return { rows, startMs }
}

/** Nodes that begin with all of this would tell each other of it for minutes. */
async function leaveEachOther({ dfsConfFile }: TestCluster): Promise<void> {
  const conf = await readFile(dfsConfFile, 'utf8')
  await writeFile(dfsConfFile, conf.replace(/^peers = .*$/m, ''))
}

const userOf = (count: number) => `bench${count}`

async function fill(cluster: TestCluster, counts: readonly number[]): Promise<void> {
  for (const count of counts) await cluster.addUser(userOf(count), PASSWORD)
  const store = await cluster.store()
  const fills = []
  for (const fileCount of counts) {
    const user = userOf(fileCount)
    const identity = await store.signIn({ user, password: PASSWORD, address: 'bench' })
    fills.push({ identity, fileCount })
  }
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGTERM')))
  const folders = cluster.nodes.map(({ folder }) => folder)
  await fillCatalogs(folders, fills)
}

async function measure(cluster: TestCluster, files: number): Promise<ScaleRow> {
  const credentials = `${userOf(files)}:${PASSWORD}`
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  const ask = (url: string, path: string, headers = {}) => timed(url + path, authorization, headers)
  const data = join(cluster.folder, `gateway-${files}`)
  const url = await cluster.startGateway(undefined, data)
  const pid = cluster.gateways.at(-1)!.child.pid!
  const nodePids = cluster.nodes.map((node) => node.process.child.pid!)
  const cpuOf = (pids: number[]) =>
    1000 * pids.reduce((sum, one) => sum + costOf(one).cpuSeconds, 0)
  await ask(url, '/nodes')
  const before = { gateway: cpuOf([pid]), nodes: cpuOf(nodePids), bytes: residentBytes(pid) }
  const coldMs = await ask(url, '/files?limit=100&delimiter=/')
  const coldGatewayCpuMs = cpuOf([pid]) - before.gateway
  const coldNodesCpuMs = cpuOf(nodePids) - before.nodes
  const warm = (path: string) => median(WARM_TIMES, () => ask(url, path))
  const row = {
    ...{ files, coldMs, coldGatewayCpuMs, coldNodesCpuMs },
    warmMs: await warm('/files?limit=100'),
    sizeOrderMs: await warm(`/files?sort=size&order=desc&from=${files / 2}&limit=100`),
    folderMs: await warm(`/files?prefix=Pictures/2000/&delimiter=/&limit=100`),
    searchMs: await median(3, () => ask(url, `/files?search=${Math.random()}`)),
    linesMs: await median(3, () => ask(url, '/files', { accept: 'application/x-ndjson' })),
    bytesPerFile: (residentBytes(pid) - before.bytes) / files,
  }
  const other = await cluster.startGateway()
  const asLines = { accept: 'application/x-ndjson' }
  await ask(other, '/nodes')
  const coldLinesMs = await ask(other, '/files', asLines)
  const seenMs = await timeUntilSeen(other, url, authorization)
  if (files >= MIN_KEPT_FILES) await keptListing(data, MAX_KEEP_MS)
  await Promise.all(cluster.gateways.map((gateway) => gateway.kill('SIGKILL')))
  const again = async (path: string, headers = {}) => {
    const gateway = await cluster.startGateway(undefined, data)
    await ask(gateway, '/nodes')
    const tookMs = await ask(gateway, path, headers)
    await cluster.gateways.at(-1)!.kill('SIGKILL')
    return tookMs
  }
  const againMs = await median(3, () => again('/files?limit=100&delimiter=/'))
  const againLinesMs = await again('/files', asLines)
  return { ...row, coldLinesMs, seenMs, againMs, againLinesMs }
}

async function timeUntilSeen(from: string, to: string, authorization: string): Promise<number> {
  const name = nameOfFile(999).replace('.jpg', ' copy.jpg')
  const path = `/files/${encodeURIComponent(name)}`
  await timed(from + path, authorization, {}, 'PUT')
  const begun = performance.now()
  const answer = await request(`${to}/files?prefix=${encodeURIComponent(name)}`, {
    headers: { authorization },
  })
  const { files } = (await answer.body.json()) as { files: unknown[] }
  if (files.length !== 1) throw new Error('an upload was not in the next listing')
  return performance.now() - begun
}

async function timed(
  url: string,
  authorization: string,
  headers: object,
  method: 'GET' | 'PUT' = 'GET',
): Promise<number> {
  const begun = performance.now()
  const answer = await request(url, {
    method,
    headers: { authorization, ...headers },
    ...(method === 'PUT' && { body: 'x' }),
    headersTimeout: 0,
  })
  let sizeBytes = 0
  for await (const bytes of answer.body) sizeBytes += (bytes as Buffer).length
  if (answer.statusCode >= 300) throw new Error(`${url}: ${answer.statusCode}, ${sizeBytes} bytes`)
  return performance.now() - begun
}

async function median(times: number, run: () => Promise<number>): Promise<number> {
  const results: number[] = []
  for (let time = 0; time < times; time++) results.push(await run())
  return results.sort((a, b) => a - b)[Math.floor(times / 2)]!
}

/** A table of what listings cost, one column for each power of ten up to `most`. */
export async function printScale(most: number): Promise<void> {
  const { rows, startMs } = await measureScale(most)
  const columns = rows.map((row) => {
    const { files, bytesPerFile, ...times } = row
    const rounded = Object.entries(times).map(([name, value]) => [
      name,
      Math.round(value * 10) / 10,
    ])
    return [files, { ...Object.fromEntries(rounded), bytesPerFile: Math.round(bytesPerFile) }]
  })
  console.table(Object.fromEntries(columns))
  console.log('Start of each node with all of them, ms:', startMs.map(Math.round).join(', '))
}
