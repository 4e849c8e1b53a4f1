// Four node processes that know each other, driven over the wire without a gateway: files as four
// lanes of opaque pieces, of which each node gets its two.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import {
  type AccountRecord,
  type Entry,
  lanesOfNode,
  newVersion,
  partOfLane,
  type ResponseOf,
} from '@fourfold/storage-node/protocol'
import { startCluster, type TestCluster } from './cluster.ts'
import { commit, prepare, readPart, type StoredFile, store } from './stored-file.ts'
import { accountOf, type Prover, WireClient } from './wire-client.ts'

export const NUMBERS = [1, 2, 3, 4]
const TIMEOUT_MS = 30_000

export interface RingFile {
  file: Buffer
  version: Buffer
  x: number
  first: number
  sealed: Buffer
  /** Of lane 0..3, the pieces in order. */
  lanes: Buffer[][]
}

export interface Ring extends AsyncDisposable {
  cluster: TestCluster
  alice: Prover
  operator: Prover
  /** Runs on a connection of its own to node `number`. */
  at<T>(number: number, run: (client: WireClient) => Promise<T>): Promise<T>
  /** Runs `run` on several nodes, one after the other. */
  each(
    numbers: readonly number[],
    run: (client: WireClient, number: number) => Promise<unknown>,
  ): Promise<void>
  /** The newest entry that a node has of a file. */
  entryOf(number: number, file: Buffer): Promise<Entry | undefined>
  status(number: number): Promise<ResponseOf<'status'>>
  /** Kills a node and takes everything away that it has. */
  wipe(number: number): Promise<void>
  kill(number: number): Promise<void>
  start(number: number): Promise<void>
}

/** `dfsConf`: lines for dfs.conf; the peers are asked often unless it says otherwise. */
export async function startRing(dfsConf = ''): Promise<Ring> {
  const cluster = await startCluster({ dfsConf: `repair.look_every_ms = 100\n${dfsConf}` })
  const key = randomBytes(32)
  const nodeOf = (number: number) => cluster.nodes[number - 1]!
  const operator: Prover = { by: 'cluster', user: '', key: cluster.clusterKey }
  const ring: Ring = {
    cluster,
    alice: { by: 'user', user: 'alice', key },
    operator,
    async at(number, run) {
      await using client = await WireClient.connect(nodeOf(number).port)
      return await run(client)
    },
    async each(numbers, run) {
      for (const number of numbers) await ring.at(number, (client) => run(client, number))
    },
    entryOf: (number, file) =>
      ring.at(number, async (client) => {
        const request = { file, withParts: false }
        const { header } = await client.request('lookup', request, { as: ring.alice })
        return header.entries.at(-1)
      }),
    status: (number) =>
      ring.at(number, async (client) => {
        return (await client.request('status', {}, { as: operator })).header
      }),
    async wipe(number) {
      await nodeOf(number).kill()
      rmSync(nodeOf(number).folder, { recursive: true })
    },
    kill: (number) => nodeOf(number).kill(),
    start: (number) => nodeOf(number).start(),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
  try {
    await putAccount(ring, accountOf('alice', key))
  } catch (error) {
    await ring[Symbol.asyncDispose]()
    throw error
  }
  return ring
}

/** Makes or changes an account on nodes `numbers`, all together as a gateway does. */
export async function putAccount(
  ring: Ring,
  account: AccountRecord,
  numbers: readonly number[] = NUMBERS,
): Promise<void> {
  const { user, change } = account
  const as: Prover = { ...ring.operator, user }
  await ring.each(numbers, (client) => client.request('account-prepare', { account }, { as }))
  await ring.each(numbers, (client) => client.request('account-commit', { change }, { as }))
}

/** Stores files on all four nodes: prepared on all of them, then committed on all. */
export async function putFiles(ring: Ring, files: readonly RingFile[]): Promise<void> {
  const put = (client: WireClient, number: number) => async (file: RingFile) => {
    const prepareIt = file.lanes[0]!.length === 1 ? store : prepare
    await prepareIt(client, ring.alice, shareOf(file, number))
  }
  for (let from = 0; from < files.length; from += 100) {
    const some = files.slice(from, from + 100)
    await ring.each(NUMBERS, (client, number) => Promise.all(some.map(put(client, number))))
    await ring.each(NUMBERS, (client, number) =>
      Promise.all(some.map((file) => commit(client, ring.alice, shareOf(file, number)))),
    )
  }
}

/** A file of random pieces. */
export function newRingFile(
  options: { rows?: number; pieceBytes?: number; lastBytes?: number; x?: number } = {},
): RingFile {
  const { rows = 1, pieceBytes = 1000, lastBytes = pieceBytes, x = 0 } = options
  const first = rows === 1 ? x : (x + 1) % 4
  return {
    file: randomBytes(16),
    version: newVersion(Date.now()),
    x,
    first,
    sealed: randomBytes(200),
    lanes: [0, 1, 2, 3].map(() =>
      Array.from({ length: rows }, (_, row) =>
        randomBytes(row === rows - 1 ? lastBytes : pieceBytes),
      ),
    ),
  }
}

/** What node `number` gets of a file. */
export function shareOf({ lanes, ...facts }: RingFile, number: number): StoredFile {
  const [one, two] = lanesOfNode(number - 1, facts.first)
  const rows = lanes[one]!.map((piece, row): [Buffer, Buffer] => [piece, lanes[two]![row]!])
  return { ...facts, rows }
}

/** Whether node `number` has the file, both parts of it, byte for byte. */
export async function isWholeOn(ring: Ring, number: number, file: RingFile): Promise<boolean> {
  const entry = await ring.entryOf(number, file.file)
  const lanes = lanesOfNode(number - 1, file.first)
  const parts = lanes.map((lane) => partOfLane(lane, file))
  const mask = parts.reduce((sum, part) => sum | (1 << (part - 1)), 0)
  const isHeld =
    entry?.state === 'committed' &&
    entry.parts === mask &&
    file.version.equals(entry.version) &&
    file.sealed.equals(entry.sealed)
  if (!isHeld) return false
  return ring.at(number, async (client) => {
    for (const [at, lane] of lanes.entries()) {
      const request = { stored: shareOf(file, number), part: parts[at]! }
      const pieces = await readPart(client, ring.alice, request)
      if (!Buffer.concat(pieces).equals(Buffer.concat(file.lanes[lane]!))) return false
    }
    return true
  })
}

/** Waits until `check` holds; a node that refuses or is away meanwhile does not hold it. */
export async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + TIMEOUT_MS
  let last: unknown
  while (performance.now() < deadlineMs) {
    try {
      if (await check()) return
    } catch (error) {
      last = error
    }
    await pause(25)
  }
  throw new Error(`This did not happen in time: ${what}.`, { cause: last })
}

/** The part files below a node's folder: path and content. */
export function partFiles(folder: string): Map<string, Buffer> {
  const names = readdirSync(`${folder}/parts`, { recursive: true }) as string[]
  const paths = names.filter((name) => /\.part\d$/.test(name)).toSorted()
  return new Map(paths.map((path) => [path, readFileSync(`${folder}/parts/${path}`)]))
}
