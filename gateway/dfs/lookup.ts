// Finds one file: asks all live nodes for its entries, or, where the bytes are wanted too, first
// two opposite nodes, which together hold all four parts of a small file.
import {
  compareVersions,
  DfsError,
  type Entry,
  laneOfPart,
  NODE_COUNT,
} from '@fourfold/storage-node/protocol'
import { type Cluster, joinNames } from './cluster.ts'
import { type Description, openDescription } from './description.ts'
import { checkFileName } from './file-name.ts'
import {
  type CurrentVersion,
  currentVersion,
  fileInfo,
  type NodeEntries,
  partsMask,
} from './file-state.ts'
import type { Identity } from './identity.ts'
import { fileIdOf } from './keys.ts'
import { ENOUGH_NODES, type Heard, inTime, soonEnough } from './soon-enough.ts'
import type { FileInfo } from './store.ts'

export interface FoundFile {
  info: FileInfo
  description: Description
  current: CurrentVersion
  /** Pieces of lane 0..3 of a small file, where they came along; each once. */
  pieces: (Buffer | undefined)[]
}

export interface LookupRequest {
  name: string
  /** Takes the bytes of a small file along. */
  withParts?: boolean
  /** Asks two nodes at first; what they answer may be all that is needed. */
  isQuick?: boolean
  signal?: AbortSignal | undefined
}

/** How a request that finds too few nodes is refused, also for a name that may not exist. */
const LEAST_NODES = 2

/**
 * The newest version of a file, or undefined where there is none.
 * @throws DfsError NAME_INVALID, NODES_UNAVAILABLE, AUTH_FAILED
 */
export async function lookup(
  cluster: Cluster,
  identity: Identity,
  request: LookupRequest,
): Promise<FoundFile | undefined> {
  const name = checkFileName(request.name)
  const answers = await askNodes(cluster, identity, { ...request, name })
  try {
    return foundIn(answers, { cluster, identity, request: { ...request, name } })
  } catch (error) {
    const isDamaged = error instanceof DfsError && error.code === 'DAMAGED'
    if (!isDamaged || request.isQuick !== true) throw error
    return lookup(cluster, identity, { ...request, isQuick: false })
  }
}

/** What the answers say together. @throws DfsError NODES_UNAVAILABLE, DAMAGED */
function foundIn(
  answers: readonly NodeAnswer[],
  asked: { cluster: Cluster; identity: Identity; request: LookupRequest },
): FoundFile | undefined {
  const { cluster, identity, request } = asked
  const current = currentVersion(answers)
  if (current === undefined) {
    if (answers.length < LEAST_NODES) throw tooFewNodes(cluster)
    return undefined
  }
  if (current.entry.state === 'deleted') {
    finishDeletion(cluster, identity, { current, answers })
    return undefined
  }
  const description = openDescription(identity.entryKey, current.copies)
  if (description.name !== request.name) {
    throw new DfsError('DAMAGED', 'A node answered with the entry of another file.')
  }
  // What was sealed is believed; the same numbers beside it are the node's word only.
  const { x, first, rows } = description
  current.entry = { ...current.entry, x, first, rows }
  // What a node that was not waited for holds is tried last, and is what it should hold.
  const unheard = request.withParts === true ? unheardNodes(cluster, answers) : []
  for (const node of unheard) current.partsHeld[node] = partsMask(node, x)
  finishCommit(cluster, identity, { current, answers })
  const answered = answers.map(({ node }) => node)
  const info = fileInfo(description, current, [...answered, ...unheard])
  return { info, description, current, pieces: piecesOf(current.entry, answers) }
}

/**
 * The newest version of a name, also where it is that of a deletion.
 * @throws DfsError as `lookup`
 */
export async function newestVersion(
  cluster: Cluster,
  identity: Identity,
  request: LookupRequest,
): Promise<Uint8Array | undefined> {
  return (await currentEntry(cluster, identity, request))?.entry.version
}

/**
 * The newest version of a name, or the tombstone in its place, as the live nodes tell it.
 * @throws DfsError as `lookup`
 */
export async function currentEntry(
  cluster: Cluster,
  identity: Identity,
  request: LookupRequest,
): Promise<CurrentVersion | undefined> {
  return currentVersion(await askNodes(cluster, identity, request))
}

/**
 * A node that still shows a committed version as prepared has missed the commit: it is told again,
 * and nobody waits for it.
 */
function finishCommit(
  cluster: Cluster,
  identity: Identity,
  { current, answers }: { current: CurrentVersion; answers: readonly NodeAnswer[] },
): void {
  const { file, version } = current.entry
  const isBehind = ({ entries }: NodeAnswer) =>
    entries.some((e) => e.state === 'prepared' && compareVersions(e.version, version) === 0)
  const behind = answers.filter(isBehind).map(({ node }) => node)
  void cluster.callEach(behind, () => ({
    op: 'commit',
    fields: { file, version },
    as: { by: 'user', identity },
  }))
}

/**
 * A node that still shows an older version has missed the deletion, and would bring the file back
 * when it is asked without the others: it is told, and nobody waits for it.
 */
function finishDeletion(
  cluster: Cluster,
  identity: Identity,
  { current, answers }: { current: CurrentVersion; answers: readonly NodeAnswer[] },
): void {
  const { file, version } = current.entry
  const isBehind = ({ entries }: NodeAnswer) =>
    entries.some((e) => e.state === 'committed' && compareVersions(e.version, version) < 0)
  const behind = answers.filter(isBehind).map(({ node }) => node)
  void cluster.callEach(behind, () => ({
    op: 'delete',
    fields: { file, version },
    as: { by: 'user', identity },
  }))
}

/** As `lookup`, for callers who need the file. @throws DfsError FILE_NOT_FOUND too */
export async function lookupExisting(
  cluster: Cluster,
  identity: Identity,
  request: LookupRequest,
): Promise<FoundFile> {
  const found = await lookup(cluster, identity, request)
  if (found === undefined) throw new DfsError('FILE_NOT_FOUND', 'There is no file of that name.')
  return found
}

/**
 * @throws DfsError PARTS_UNAVAILABLE naming parts and nodes, where a part of the file is out of
 * reach
 */
export function requireReadable(info: FileInfo): void {
  if (info.state !== 'insufficient') return
  const { missingParts: parts, missingNodes: nodes } = info
  const what = `${parts.length === 1 ? 'Part' : 'Parts'} ${joinNames(parts.map(String))}`
  const cure =
    nodes.length === 0
      ? 'and no node that is down would bring it back.'
      : `until ${joinNames(nodes, 'or')} is back. Nothing is lost.`
  const message = `${what} of the file cannot be reached ${cure}`
  throw new DfsError('PARTS_UNAVAILABLE', message, { detail: { parts, nodes } })
}

interface NodeAnswer extends NodeEntries {
  /** Parts whose bytes are the sections of `body`. */
  parts: readonly number[]
  body: Buffer[]
}

/**
 * What each live node says; a node that fails says nothing.
 * @throws DfsError AUTH_FAILED where all refuse
 */
async function askNodes(
  cluster: Cluster,
  identity: Identity,
  request: LookupRequest,
): Promise<NodeAnswer[]> {
  const file = fileIdOf(identity.nameKey, request.name)
  const live = cluster.live()
  const givers = request.withParts === true ? oppositeNodes(live) : []
  const ask = async (node: number): Promise<Heard> => {
    const fields = { file, withParts: givers.includes(node) }
    const as = { by: 'user', identity } as const
    const call = { op: 'lookup', fields, as, signal: request.signal } as const
    return (await cluster.callEach([node], () => call))[0]!
  }
  let asked: Promise<Heard>[] = []
  if (request.isQuick === true && givers.length === 2) {
    asked = givers.map(ask)
    const answers = answersOf(await inTime(cluster, asked))
    if (areEnough(answers)) return answers
  }
  const others = asked.length === 0 ? live : live.filter((node) => !givers.includes(node))
  asked = [...asked, ...others.map(ask)]
  const isHasty = request.withParts === true && live.length > ENOUGH_NODES
  const outcomes = await (isHasty ? soonEnough(cluster, asked) : Promise.all(asked))
  const answers = answersOf(outcomes)
  const refused = outcomes.find(({ error }) => error?.code === 'AUTH_FAILED')?.error
  if (answers.length === 0 && refused !== undefined) throw refused
  if (request.signal?.aborted === true) throw new DfsError('ABORTED', 'The request was given up.')
  return answers
}

/** Live nodes whose answer was not waited for. */
function unheardNodes(cluster: Cluster, answers: readonly NodeAnswer[]): number[] {
  if (answers.length < ENOUGH_NODES) return []
  const unheard = cluster.live().filter((node) => !answers.some((answer) => answer.node === node))
  for (const node of unheard) cluster.hedge.lost(node)
  return unheard
}

/**
 * Whether two opposite nodes know all there is to know. An upload is acknowledged when one of each
 * two opposite nodes has its commit, a deletion when three have it; and a version that others show
 * as committed is at least prepared on these. So where both show the same committed version, with
 * all four parts and nothing newer on its way, no other node has a newer one that counts.
 */
function areEnough(answers: readonly NodeAnswer[]): boolean {
  const current = currentVersion(answers)
  if (answers.length < 2 || current?.entry.state !== 'committed') return false
  const { entry } = current
  const isAlone = answers.every(({ entries }) =>
    entries.every(({ version }) => compareVersions(version, entry.version) <= 0),
  )
  const hasAll = piecesOf(entry, answers).every((piece) => piece !== undefined)
  return isAlone && hasAll
}

function answersOf(outcomes: readonly Heard[]): NodeAnswer[] {
  return outcomes.flatMap(({ node, value }) =>
    value === undefined
      ? []
      : [{ node, entries: value.header.entries, parts: value.header.parts, body: value.body }],
  )
}

/** Two live nodes across the ring, a random pair where both pairs are up. */
function oppositeNodes(live: readonly number[]): number[] {
  const start = Math.random() < 0.5 ? 0 : 1
  for (const node of [start, 1 - start]) {
    if (live.includes(node) && live.includes(node + 2)) return [node, node + 2]
  }
  return []
}

function piecesOf(entry: Entry, answers: readonly NodeAnswer[]): (Buffer | undefined)[] {
  const pieces = new Array<Buffer | undefined>(NODE_COUNT).fill(undefined)
  for (const { entries, parts, body } of answers) {
    // The parts are those of the node's own newest version, which may be an older one.
    const isSame = entries.some(
      ({ state, version }) =>
        state === 'committed' && compareVersions(version, entry.version) === 0,
    )
    if (!isSame || parts.length !== body.length) continue
    for (const [at, part] of parts.entries()) pieces[laneOfPart(part, entry)] = body[at]
  }
  return pieces
}

function tooFewNodes(cluster: Cluster): DfsError {
  const nodes = cluster.missing()
  const message = `${joinNames(nodes)} are not answering: too few nodes to say whether the file exists.`
  return new DfsError('NODES_UNAVAILABLE', message, { detail: { nodes } })
}
