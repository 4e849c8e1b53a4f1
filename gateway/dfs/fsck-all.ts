// Verifies every copy of every user's files with the cluster key: ciphertext only. Each piece of
// both copies of each part is read, compared with its checksum, and all of them with the figures
// that the nodes have of the part. Goes through the nodes' entries page by page: memory does not
// grow with their number.
import { crc32 } from 'node:zlib'
import {
  checkMessage,
  decodeStrict,
  MAX_PAGE_ENTRIES,
  PeerEntries,
  type PeerEntry,
  type ResponseOf,
  type Standing,
} from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster } from './cluster.ts'
import {
  type Copy,
  copiesOf,
  type FileCheck,
  isLostWithout,
  readCopy,
  reportOf,
  verdictOf,
} from './copy-check.ts'

/** Files whose copies are read at once; of each, at most this many rows of two copies. */
const FILES_AT_ONCE = 8
const ROWS_AT_ONCE = 4
const CRC_BYTES = 4

interface Context {
  cluster: Cluster
  key: Buffer
  signal?: AbortSignal | undefined
}

/**
 * All files that any live node knows, each once, as they are verified.
 * @throws DfsError as a node that cannot tell its entries
 */
export async function* checkAll(context: Context): AsyncGenerator<FileCheck> {
  const { cluster } = context
  const live = ALL_NODES.filter((node) => cluster.isLive(node))
  for (const [turn, node] of live.entries()) {
    for await (const page of entriesOf(context, node)) {
      for (let from = 0; from < page.length; from += FILES_AT_ONCE) {
        const some = page.slice(from, from + FILES_AT_ONCE)
        const checks = await Promise.all(
          some.map((entry) => checkEntry(context, { entry, node, before: live.slice(0, turn) })),
        )
        for (const check of checks) if (check !== undefined) yield check
      }
    }
  }
}

/** The committed versions that a node knows, page by page. */
async function* entriesOf(context: Context, node: number): AsyncGenerator<PeerEntry[]> {
  const { cluster, key, signal } = context
  for (let since = 0, more = true; more; ) {
    const { header, body } = await cluster.call(node, {
      op: 'peer-changes',
      fields: { since, limit: MAX_PAGE_ENTRIES },
      as: { by: 'cluster', key },
      signal,
    })
    const bytes = body[0]
    if (bytes === undefined) return
    const entries = checkMessage(PeerEntries, decodeStrict(bytes), 'a page of changes')
    yield entries.filter(({ state }) => state === 'committed')
    since = header.next
    more = header.more
  }
}

/** Undefined where a node that was asked before knows the version, or it is no longer the file. */
async function checkEntry(
  context: Context,
  { entry, node, before }: { entry: PeerEntry; node: number; before: readonly number[] },
): Promise<FileCheck | undefined> {
  if (await isKnown(context, entry, before, ['committed', 'superseded'])) return undefined
  const { cluster } = context
  const { user, file, x } = entry
  const copies = copiesOf(x, ({ node }) => (cluster.isLive(node) ? 'whole' : 'unreachable'))
  const sum = { sizeBytes: 0, isLost: false, isRead: true }
  for (const part of [1, 2, 3, 4]) {
    const twins = copies.filter((copy) => copy.part === part)
    const checked = await checkPart(context, entry, twins)
    sum.sizeBytes += checked.sizeBytes
    sum.isLost ||= checked.isLost
    sum.isRead &&= checked.isRead
  }
  const isWhole = copies.every(({ state }) => state === 'whole')
  // What was replaced or deleted while it was read is missing, and nobody's loss.
  if (!isWhole && !(await isKnown(context, entry, [node], ['committed']))) return undefined
  const { sizeBytes } = sum
  const verdict = verdictOf(copies, sum)
  return { user, file: Buffer.from(file).toString('hex'), sizeBytes, ...reportOf(copies), verdict }
}

/** Whether one of `nodes` answers that the version stands so. */
async function isKnown(
  { cluster, key, signal }: Context,
  { user, file, version }: PeerEntry,
  nodes: readonly number[],
  standings: readonly Standing[],
): Promise<boolean> {
  const outcomes = await cluster.callEach(nodes, () => ({
    op: 'peer-entry',
    fields: { file, version, decide: false },
    as: { by: 'cluster', key, user },
    signal,
  }))
  return outcomes.some(({ value }) => {
    return value !== undefined && standings.includes(value.header.standing)
  })
}

type Figures = ResponseOf<'peer-part'>

/** What was read of one copy: pieces as they came, in order. */
interface Sum {
  bytes: number
  checksum: number
}

async function checkPart(
  context: Context,
  entry: PeerEntry,
  twins: readonly Copy[],
): Promise<{ sizeBytes: number; isLost: boolean; isRead: boolean }> {
  const { cluster, key, signal } = context
  const { user, file, version, rows } = entry
  const as = { by: 'cluster', key, user } as const
  const figures = await Promise.all(
    twins.map(({ node, part }, at) =>
      readCopy(twins[at]!, 'missing', () => {
        return cluster.call(node, { op: 'peer-part', fields: { file, version, part }, as, signal })
      }),
    ),
  )
  const sums = twins.map((): Sum => ({ bytes: 0, checksum: 0 }))
  let isLost = false
  let isRead = true
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    const run = Array.from({ length: Math.min(ROWS_AT_ONCE, rows - from) }, (_, at) => from + at)
    const pieces = await Promise.all(
      run.map((row) =>
        Promise.all(
          twins.map((copy, at) => {
            const inline = figures[at]?.body[0]
            if (inline !== undefined) return inline
            const { node, part } = copy
            const fields = { file, version, part, from: row, to: row + 1 }
            return readCopy(copy, 'missing', async () => {
              return (await cluster.call(node, { op: 'read', fields, as, signal })).body[0]
            })
          }),
        ),
      ),
    )
    for (const both of pieces) {
      for (const [at, piece] of both.entries()) if (piece !== undefined) add(sums[at]!, piece)
      if (both.some((piece) => piece !== undefined)) continue
      isRead = false
      isLost ||= isLostWithout(twins)
    }
  }
  compare(
    twins,
    figures.map((answer) => answer?.header),
    sums,
  )
  return { sizeBytes: Math.max(...sums.map(({ bytes }) => bytes)), isLost, isRead }
}

function add(sum: Sum, piece: Buffer): void {
  const crc = Buffer.alloc(CRC_BYTES)
  crc.writeUInt32BE(crc32(piece))
  sum.bytes += piece.length
  sum.checksum = crc32(crc, sum.checksum)
}

/** A copy whose pieces hold and are not those that its node, or the twin, says were stored. */
function compare(
  twins: readonly Copy[],
  figures: readonly (Figures | undefined)[],
  sums: readonly Sum[],
): void {
  for (const [at, copy] of twins.entries()) {
    const { bytes, checksum } = sums[at]!
    const own = figures[at]
    const isSame = own?.bytes === bytes && own.checksum === checksum
    if (copy.state === 'whole' && !isSame) copy.state = 'damaged'
  }
  const [one, two] = twins
  const differ =
    one?.state === 'whole' &&
    two?.state === 'whole' &&
    figures[0]?.checksum !== figures[1]?.checksum
  // Which of the two is right only the row's tag could tell.
  if (differ) for (const copy of twins) copy.state = 'damaged'
}
