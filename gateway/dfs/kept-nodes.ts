// What the four nodes say of one kept upload, put together: the newest checkpoint that all of them
// have, and what it says. A checkpoint is sent only when the one before it is on all four, and
// nodes keep two, so there is always one.
import {
  checkMessage,
  DfsError,
  decodeStrict,
  type Kept,
  KeptPage,
  nodeName,
} from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster, joinNames, type Outcome } from './cluster.ts'
import type { Identity } from './identity.ts'
import { type KeptState, openState } from './kept-state.ts'

/** A kept upload at the checkpoint from which it goes on. */
export interface KeptAt {
  id: Buffer
  /** Number of the checkpoint. */
  number: number
  rows: number
  first: number
  /** Of all four nodes, the greatest: no two writers have the same. */
  take: number
  expiresMs: number
  state: KeptState
  /** Nodes (0..3) that do not know yet that it is stored; only where `state.stored` is. */
  unaware: number[]
}

/** Without a change on any node. @throws DfsError UPLOAD_UNKNOWN, NODES_UNAVAILABLE, DAMAGED */
export async function lookKept(cluster: Cluster, identity: Identity, id: Buffer): Promise<KeptAt> {
  const answers = await askAll(cluster, 'look', (node) =>
    cluster.call(node, {
      op: 'keep-look',
      fields: { upload: id },
      as: { by: 'user', identity },
    }),
  )
  return commonPoint(identity, id, answers)
}

/**
 * Makes `as` the only id under which the nodes take what belongs to the upload. What another
 * gateway still sends is refused from then on.
 * @throws DfsError as `lookKept`
 */
export async function takeKept(
  cluster: Cluster,
  identity: Identity,
  { id, as }: { id: Buffer; as: Buffer },
): Promise<KeptAt> {
  const answers = await askAll(cluster, 'take', (node) =>
    cluster.call(node, {
      op: 'keep-take',
      fields: { upload: id, as },
      as: { by: 'user', identity },
    }),
  )
  return commonPoint(identity, id, answers)
}

/** The user's unfinished uploads, in no order. */
export interface KeptList {
  /** Of which every node has a checkpoint. */
  uploads: KeptAt[]
  /** Ids, in hex, of those that only some nodes hold for unfinished. */
  strays: string[]
}

/** @throws DfsError NODE_GONE, NODE_TIMEOUT, DAMAGED */
export async function listKept(cluster: Cluster, identity: Identity): Promise<KeptList> {
  const perNode = await Promise.all(
    ALL_NODES.map(async (node) => {
      const found = new Map<string, Kept>()
      let after = new Uint8Array()
      for (let more = true; more; ) {
        const { header, body } = await cluster.call(node, {
          op: 'keep-list',
          fields: { after },
          as: { by: 'user', identity },
        })
        const page = checkMessage(KeptPage, decodeStrict(body[0]!), 'a page of uploads')
        for (const { upload, ...kept } of page) found.set(Buffer.from(upload).toString('hex'), kept)
        more = header.more
        after = Uint8Array.from(page.at(-1)?.upload ?? after)
      }
      return found
    }),
  )
  const list: KeptList = { uploads: [], strays: [] }
  for (const hex of new Set(perNode.flatMap((found) => [...found.keys()]))) {
    const kept = perNode.flatMap((found) => found.get(hex) ?? [])
    if (kept.length < ALL_NODES.length) list.strays.push(hex)
    else list.uploads.push(commonPoint(identity, Buffer.from(hex, 'hex'), kept))
  }
  return list
}

/** A node that went away is a reason to wait, whatever exactly it was seen to do. */
export function asUnavailable(thrown: unknown): unknown {
  const isAway =
    thrown instanceof DfsError && (thrown.code === 'NODE_GONE' || thrown.code === 'NODE_TIMEOUT')
  if (!isAway || thrown.node === undefined) return thrown
  return unavailable([nodeName(thrown.node - 1)], thrown)
}

async function askAll(
  cluster: Cluster,
  what: 'look' | 'take',
  ask: (node: number) => Promise<{ header: Kept }>,
): Promise<Kept[]> {
  const missing = cluster.missing()
  // Whoever takes it changes the nodes; none is changed where not all can be.
  if (what === 'take' && missing.length > 0) throw unavailable(missing)
  const outcomes: Outcome<Kept>[] = await Promise.all(
    ALL_NODES.map(async (node) => {
      try {
        return { node, value: (await ask(node)).header }
      } catch (error) {
        return { node, error: error as DfsError }
      }
    }),
  )
  const errors = outcomes.flatMap(({ error }) => error ?? [])
  const unknown = errors.filter(({ code }) => code === 'UPLOAD_UNKNOWN')
  if (unknown.length > 0) {
    // Where some know it, it ended, expired, or lost a node's folder.
    const detail = unknown.length < ALL_NODES.length - missing.length ? { httpStatus: 410 } : {}
    throw new DfsError('UPLOAD_UNKNOWN', 'There is no such upload, or it has ended.', { detail })
  }
  const other = errors.find(({ code }) => code !== 'NODE_GONE' && code !== 'NODE_TIMEOUT')
  if (other !== undefined) throw other
  if (errors.length > 0) {
    const away = outcomes.filter(({ error }) => error !== undefined)
    throw unavailable(
      away.map(({ node }) => nodeName(node)),
      errors[0],
    )
  }
  return outcomes.map(({ value }) => value!)
}

function commonPoint(identity: Identity, id: Buffer, kept: readonly Kept[]): KeptAt {
  const done = kept.find((one) => one.done)
  const counted = done === undefined ? kept : [done]
  const point = counted[0]!.points.findLast(({ number }) =>
    counted.every(({ points }) => points.some((one) => one.number === number)),
  )
  if (point === undefined) {
    throw new DfsError('DAMAGED', 'The nodes have no checkpoint of the upload in common.')
  }
  return {
    id,
    number: point.number,
    rows: point.rows,
    first: counted[0]!.first,
    take: Math.max(...kept.map(({ takes }) => takes)),
    expiresMs: Math.min(...counted.map(({ expires }) => expires)),
    state: openState(identity.entryKey, id, point.sealed),
    unaware: done === undefined ? [] : ALL_NODES.filter((node) => !kept[node]!.done),
  }
}

function unavailable(nodes: string[], cause?: unknown): DfsError {
  const verb = nodes.length === 1 ? 'is' : 'are'
  const message = `${joinNames(nodes)} ${verb} not answering. What is stored of the upload stays.`
  return new DfsError('NODES_UNAVAILABLE', message, { detail: { nodes }, cause })
}
