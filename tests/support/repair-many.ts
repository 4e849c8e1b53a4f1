// A node that lost its folder, among many files of mixed sizes, while users go on: how long it
// takes to fill itself, how many bytes it fetches for that, and what users feel of it.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Identity } from '../../gateway/dfs/identity.ts'
import type { Store } from '../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from './cluster.ts'
import { gathered, seededBytes, streamed } from './content.ts'
import { below, type Random, randomOf } from './random.ts'
import { partFiles } from './ring.ts'
import { inParallel, nodeStatus } from './watching.ts'

/** The node that loses its folder, 1..4. */
const LOSER = 3
const USER = 'alice'
const UPLOADS_AT_ONCE = 16
const BASELINE_READS = 200
const LOOK_MS = 100

export interface RepairFigures {
  files: number
  /** From the start of the empty node to its last copy. */
  seconds: number
  /** Of the copies that the node had. */
  neededBytes: number
  /** Of pieces that came from its neighbours. */
  copiedBytes: number
  /** Downloads of small files before, and during the repair: median and 95th percentile, ms. */
  before: { count: number; p50: number; p95: number }
  during: { count: number; p50: number; p95: number }
  uploadsDuring: number
}

/** Stores `count` files, empties a node, and checks every copy that comes back. */
export async function repairMany(count: number, seed: number): Promise<RepairFigures> {
  await using cluster = await startCluster({ dfsConf: 'repair.look_every_ms = 200' })
  await cluster.addUser(USER, `${USER}-password`)
  const store = await cluster.store()
  const user = await store.signIn({ user: USER, password: `${USER}-password`, address: 'test' })
  const sizes = sizesOf(count, randomOf(seed))
  await inParallel([...sizes.keys()], UPLOADS_AT_ONCE, (name) => put(store, user, name, sizes))
  const { storedBytes: neededBytes } = await nodeStatus(cluster, LOSER)

  const small = [...sizes].filter(([, size]) => size < 20_000).map(([name]) => name)
  const random = randomOf(seed + 1)
  const read = () => readOne(store, user, small[below(small.length, random)]!, sizes)
  const before: number[] = []
  while (before.length < BASELINE_READS) before.push(await read())

  await cluster.nodes[LOSER - 1]!.kill('SIGTERM')
  const lost = inventory(cluster, LOSER)
  rmSync(cluster.nodes[LOSER - 1]!.folder, { recursive: true })
  const startedMs = performance.now()
  await cluster.nodes[LOSER - 1]!.start()
  const during: number[] = []
  let uploadsDuring = 0
  let isThrough = false
  const reader = async () => {
    while (!isThrough) during.push(await read())
  }
  const writer = async () => {
    await cluster.whenUp(store, [1, 2, 3, 4])
    while (!isThrough) {
      sizes.set(`during ${uploadsDuring}`, 5000)
      await put(store, user, `during ${uploadsDuring}`, sizes)
      uploadsDuring++
    }
  }
  const users = [reader(), reader(), writer()]
  const repair = await whenRepaired(cluster).finally(() => {
    isThrough = true
  })
  const seconds = (performance.now() - startedMs) / 1000
  await Promise.all(users)
  await compareCopies(cluster, lost)
  return {
    ...{ files: count, seconds, neededBytes, copiedBytes: repair.copiedBytes, uploadsDuring },
    ...{ before: percentiles(before), during: percentiles(during) },
  }
}

/** By name; mostly small: most of a store's files are. */
function sizesOf(count: number, random: Random): Map<string, number> {
  const sizes = Array.from({ length: count }, (_, index): [string, number] => {
    const kind = random()
    const [least, most] =
      kind < 0.85
        ? [0, 12_000]
        : kind < 0.95
          ? [12_000, 260_000]
          : kind < 0.99
            ? [260_000, 1_048_576]
            : [1_048_577, 5_000_000]
    return [`file ${index}`, least! + below(most! - least!, random)]
  })
  return new Map(sizes)
}

async function put(
  store: Store,
  user: Identity,
  name: string,
  sizes: ReadonlyMap<string, number>,
): Promise<void> {
  const source = streamed(seededBytes(name, sizes.get(name)!))
  await store.upload(user, { name, source, sizeBytes: sizes.get(name)! })
}

/** Reads a file, compares it, and answers how long that took, milliseconds. */
async function readOne(
  store: Store,
  user: Identity,
  name: string,
  sizes: ReadonlyMap<string, number>,
): Promise<number> {
  const startedMs = performance.now()
  const { content } = await store.download(user, { name })
  const bytes = await gathered(content)
  const timeMs = performance.now() - startedMs
  assert.ok(bytes.equals(seededBytes(name, sizes.get(name)!)), `${name} is not what was stored`)
  return timeMs
}

async function whenRepaired(cluster: TestCluster) {
  for (;;) {
    const { repair } = await nodeStatus(cluster, LOSER)
    if (repair.isCurrent && repair.missingParts === 0) return repair
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

/** Of each copy of a stopped node, what names it and a digest of its bytes. */
function inventory(cluster: TestCluster, number: number): Map<string, string> {
  const { folder } = cluster.nodes[number - 1]!
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64')
  const copies = new Map<string, string>()
  for (const [path, bytes] of partFiles(folder)) copies.set(path, digest(bytes))
  const catalog = new DatabaseSync(`${folder}/catalog.sqlite`, { readOnly: true })
  const rows = catalog.prepare(
    `SELECT hex(file) || hex(version) || '.' || (parts.id % 4) AS name, data
     FROM parts JOIN entries ON entries.id = parts.id / 4 WHERE data IS NOT NULL`,
  )
  for (const row of rows.iterate() as Iterable<{ name: string; data: Uint8Array }>) {
    copies.set(row.name, digest(row.data))
  }
  catalog.close()
  return copies
}

/** Every copy that the node had is back, and is what a neighbour has. */
async function compareCopies(cluster: TestCluster, lost: Map<string, string>): Promise<void> {
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGTERM')))
  const back = inventory(cluster, LOSER)
  const neighbours = [LOSER - 1, (LOSER % 4) + 1].map((number) => inventory(cluster, number))
  for (const [name, bytes] of lost) {
    assert.equal(back.get(name), bytes, `the copy ${name} did not come back as it was`)
  }
  for (const [name, bytes] of back) {
    const isTwin = neighbours.some((copies) => copies.get(name) === bytes)
    assert.ok(isTwin, `no neighbour has the copy ${name}`)
  }
}

function percentiles(times: number[]) {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) =>
    Math.round((sorted[Math.floor(share * sorted.length)] ?? 0) * 10) / 10
  return { count: times.length, p50: at(0.5), p95: at(0.95) }
}
