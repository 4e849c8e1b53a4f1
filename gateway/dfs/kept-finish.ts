// The end of a kept upload: its bytes become the file. Repeating it is safe: what a gateway that
// died has left prepared is given up or committed by the nodes, and the bytes are still kept.
import { createHash } from 'node:crypto'
import {
  DfsError,
  ROW_BYTES,
  rotationOf,
  rowCount,
  versionTimeMs,
} from '@fourfold/storage-node/protocol'
import { prepareAndCommit } from './commit.ts'
import { type Description, sealDescription } from './description.ts'
import type { Identity } from './identity.ts'
import type { KeptAt } from './kept-nodes.ts'
import { type KeptSession, lockedIfUnknown, type SessionOptions } from './kept-session.ts'
import { type KeptState, sealState } from './kept-state.ts'
import { fileIdOf } from './keys.ts'
import { lookup, newestVersion } from './lookup.ts'
import type { UploadResult, WriteCondition } from './store.ts'
import { nodeCondition, upload } from './upload.ts'

const PREPARE_TIMEOUT_MS = 120_000

/**
 * Stores the file of which `session` has all bytes.
 * @throws DfsError DIGEST_MISMATCH, PRECONDITION_FAILED: for good; anything else may pass
 */
export async function finishKept(
  options: SessionOptions,
  session: KeptSession,
): Promise<UploadResult> {
  const { cluster, identity } = options
  const { id, state } = session.at
  const isSmall = session.rows === 0
  const result = await (isSmall
    ? storeSmall(options, session)
    : storeLarge(options, session)
  ).catch((error: unknown) => explainRefusal(options, session, error))
  const stored = { md5: result.file.md5, isNew: result.isNew }
  const offset = session.offsetBytes
  const last = { ...state, offset: result.file.sizeBytes, size: result.file.sizeBytes, stored }
  const sealed = sealState(identity.entryKey, id, isSmall ? { ...last, offset } : last)
  // Under its own id: a node that is told after a restart knows no writer of it any more.
  await cluster.tellEach({
    op: 'keep-done',
    fields: { upload: id, sealed },
    as: { by: 'user', identity },
  })
  return result
}

/** All bytes are in the row that is not full: nothing of it was sent as a row. */
function storeSmall(options: SessionOptions, session: KeptSession): Promise<UploadResult> {
  const { name, type, md5, modified } = session.at.state
  const condition = conditionOf(session.at.state)
  return upload(options, {
    ...{ name, type, source: inTurn(session.tail), sizeBytes: session.offsetBytes },
    ...(md5 !== null && { md5 }),
    ...(modified !== null && { modifiedMs: modified }),
    ...(condition !== undefined && { condition }),
  })
}

async function* inTurn(slices: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* slices
}

async function storeLarge(options: SessionOptions, session: KeptSession): Promise<UploadResult> {
  const { cluster, identity } = options
  const { state, first } = session.at
  const { name, key } = state
  const md5 = await session.complete()
  if (state.md5 !== null && !md5.equals(state.md5)) {
    const message = `The MD5 of what arrived is ${md5.toString('hex')}, not the one promised.`
    throw new DfsError('DIGEST_MISMATCH', message)
  }
  const x = rotationOf(md5)
  const size = session.sizeBytes!
  const rows = rowCount(size, ROW_BYTES)
  const file = fileIdOf(identity.nameKey, name)
  const wanted = conditionOf(state)
  const condition = await nodeCondition(cluster, identity, {
    name,
    ...(wanted !== undefined && { condition: wanted }),
  })
  const after = await newestVersion(cluster, identity, { name })
  const describe = (version: Uint8Array) => {
    const modified = state.modified ?? versionTimeMs(version)
    const facts = { name, size, md5, type: state.type, modified, key, rowBytes: ROW_BYTES }
    const description: Description = { ...facts, rows, first, x, attempts: session.attempts }
    const sealed = sealDescription(identity.entryKey, { file, version }, description)
    return { description, sealed }
  }
  return prepareAndCommit(
    { cluster, identity, file, after, isStaged: true },
    describe,
    async (node, version, sealed) => {
      const lanes = session.writer.sumsOf(node)
      const fields = { upload: session.as, file, version, x, rows, lanes, sealed }
      const answer = session.writer.connectionTo(node).request({
        op: 'prepare',
        fields: condition === undefined ? fields : { ...fields, condition },
        ...{ as: { by: 'user', identity }, timeoutMs: PREPARE_TIMEOUT_MS },
      })
      // Whoever finishes it at another gateway is faster: this one is not gone, and is asked again.
      const outcome = await cluster.whileHeard(node, answer).catch((error: unknown) => {
        throw lockedIfUnknown(error)
      })
      return outcome.header.replaced
    },
  )
}

/**
 * A refusal because of the condition, where an earlier try to finish may have been the one that
 * changed the file, or is undecided yet.
 */
async function explainRefusal(
  { cluster, identity }: SessionOptions,
  session: KeptSession,
  error: unknown,
): Promise<UploadResult> {
  const { at } = session
  const isRefused = error instanceof DfsError && error.code === 'PRECONDITION_FAILED'
  const isFirstTry = at.state.offset !== at.state.size
  if (!isRefused || isFirstTry) throw error
  const found = await lookup(cluster, identity, { name: at.state.name })
  const { state } = at
  if (found?.info.sizeBytes === state.size && found.info.md5 === md5Of(session)) {
    return { file: found.info, isNew: state.condition?.length === 0 }
  }
  const isStillMet =
    found === undefined
      ? state.condition?.length === 0
      : state.condition?.some((tag) => tag === '*' || tag === found.info.md5)
  if (isStillMet !== true) throw error
  const message = 'An earlier try to store this file is not decided yet.'
  throw new DfsError('OUTCOME_UNKNOWN', message, { cause: error })
}

/** Of the whole content, all of which is there. */
function md5Of({ at, rows, tail }: KeptSession): string {
  if (rows === 0) return createHash('md5').update(Buffer.concat(tail)).digest('hex')
  return Buffer.from(at.state.state).toString('hex')
}

/** The condition as it was asked for. */
export function conditionOf({
  condition,
}: Pick<KeptState, 'condition'>): WriteCondition | undefined {
  if (condition === null) return undefined
  if (condition.length === 0) return { kind: 'absent' }
  return { kind: 'match', md5s: condition.includes('*') ? 'any' : condition }
}

/** The same for a sealed state. */
export function sealedCondition(condition: WriteCondition | undefined): KeptState['condition'] {
  if (condition === undefined) return null
  if (condition.kind === 'absent') return []
  return condition.md5s === 'any' ? ['*'] : condition.md5s
}

/** Tells the nodes that have not heard it that an upload is stored. */
export async function spreadDone(
  { cluster, identity }: { cluster: SessionOptions['cluster']; identity: Identity },
  { id, unaware, state }: Pick<KeptAt, 'id' | 'unaware' | 'state'>,
): Promise<void> {
  const as = { by: 'user', identity } as const
  const fields = { upload: id, sealed: sealState(identity.entryKey, id, state) }
  await cluster.callEach(unaware, () => ({ op: 'keep-done', fields, as }))
}
