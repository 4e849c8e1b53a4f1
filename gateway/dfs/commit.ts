// The two phases that make a version visible on all four nodes or on none: prepare, then commit.
import {
  compareVersions,
  DfsError,
  newVersion,
  nodeName,
  VERSION_BYTES,
} from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster, type Outcome } from './cluster.ts'
import type { Description } from './description.ts'
import { describedFacts } from './file-state.ts'
import type { Identity } from './identity.ts'
import type { FileInfo, UploadResult } from './store.ts'

/** How often a version is made anew because another upload of the same name was newer. */
const MAX_VERSION_TRIES = 5
const COMMIT_TIMEOUT_MS = 120_000
/** A link that broke is back in this time, if its node is: the longest pause, and a greeting. */
const MAX_RETURN_MS = 5000

export interface CommitContext {
  cluster: Cluster
  identity: Identity
  file: Uint8Array
  /** A version of the file that is known: the new one is made newer, whatever the clock says. */
  after?: Uint8Array | undefined
  /** The bytes are staged and go into one version only: there is no second try. */
  isStaged?: boolean
}

/** Seals the description of a version. */
export type Describe = (version: Uint8Array) => { description: Description; sealed: Buffer }

/** Makes one node hold the version durably, not yet visible; answers whether a file is replaced. */
export type Prepare = (node: number, version: Uint8Array, sealed: Buffer) => Promise<boolean>

/**
 * Prepares on all nodes and commits on all. When one node refuses, the others forget the version.
 * @throws DfsError of the node that refused; OUTCOME_UNKNOWN where nobody can say whether it counts
 */
export async function prepareAndCommit(
  context: CommitContext,
  describe: Describe,
  prepare: Prepare,
): Promise<UploadResult> {
  let version = newVersion(Date.now(), context.after)
  for (let tries = 1; ; tries++) {
    const { description, sealed } = describe(version)
    const outcomes = await Promise.all(
      ALL_NODES.map((node) => outcomeOf(node, prepare(node, version, sealed))),
    )
    const failures = outcomes.flatMap(({ error }) => error ?? [])
    if (failures.length === 0) {
      await commit(context, version)
      const isNew = !outcomes.some(({ value }) => value)
      return { file: storedInfo(description, version), isNew }
    }
    const aborted = await abortPrepared(context, version)
    const isRefused = outcomes.some(({ node, error }) =>
      error === undefined ? aborted[node]! : !isOpen(error),
    )
    // Prepared on all four, for all that is known: then the nodes may commit it among themselves.
    if (!isRefused) throw unknownOutcome(failures[0]!)
    const serious = failures.find(({ code }) => code !== 'STALE_VERSION')
    if (serious !== undefined) throw serious
    const newest = newestNamed(failures)
    if (context.isStaged === true) {
      // The nodes took so long to prepare it that they have given it up among themselves.
      if (compareVersions(newest, version) <= 0) throw failures[0]!
      // A newer version was committed while this one was on its way: it took this one's place at
      // once, as it would have done a moment later. To all who look, this upload came just before.
      return { file: storedInfo(description, version), isNew: false }
    }
    if (tries === MAX_VERSION_TRIES) throw failures[0]!
    version = newVersion(Date.now(), newest)
  }
}

/**
 * From here on the upload counts: it is prepared on all four nodes. A node that does not confirm
 * in time has the bytes and will follow. Where too few have confirmed by then, those that are
 * there are waited for, however much they have to write, and those whose links broke are told again
 * when they are back soon; only when they fall silent, the outcome is unknown.
 */
async function commit(context: CommitContext, version: Uint8Array): Promise<void> {
  const { cluster, file, identity } = context
  const confirmed: number[] = []
  // Two opposite nodes can be all that is left to read from: one of each such pair must know.
  const isKnownToAllPairs = () =>
    [0, 1].every((node) => confirmed.some((other) => other === node || other === node + 2))
  const { promise: isLate, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, cluster.requestTimeoutMs)
  const confirm = async (node: number) => {
    const answer = cluster.call(node, {
      op: 'commit',
      fields: { file, version },
      as: { by: 'user', identity },
      timeoutMs: COMMIT_TIMEOUT_MS,
    })
    await cluster.whileHeard(node, answer)
    confirmed.push(node)
  }
  const all = Promise.all(ALL_NODES.map((node) => outcomeOf(node, confirm(node))))
  await Promise.race([all, isLate])
  clearTimeout(timer)
  if (isKnownToAllPairs()) return
  const failed = (await all).filter(({ error }) => error !== undefined)
  if (isKnownToAllPairs()) return
  const returnMs = Math.min(MAX_RETURN_MS, cluster.requestTimeoutMs)
  const again = async ({ node, error }: Outcome<void>) => {
    if (!isOpen(error!) || !(await cluster.isBack(node, returnMs))) throw error
    await confirm(node)
  }
  await Promise.all(failed.map((outcome) => outcomeOf(outcome.node, again(outcome))))
  if (isKnownToAllPairs()) return
  throw unknownOutcome(failed[0]!.error!)
}

/** Whether a node that failed so may have prepared the version all the same. */
function isOpen({ code }: DfsError): boolean {
  return [
    'NODE_GONE',
    'NODE_TIMEOUT',
    'ABORTED',
    // It was not confirmed, but what a disk that fails has kept shows only after a restart.
    'DISK_FAILED',
    'INTERNAL',
    'BAD_FRAME',
    'FRAME_DAMAGED',
  ].includes(code)
}

function unknownOutcome(cause: DfsError): DfsError {
  const message =
    'Too few nodes confirmed the upload; it may or may not be stored. Sending it again is safe.'
  return new DfsError('OUTCOME_UNKNOWN', message, { cause })
}

/**
 * Also asked of the nodes that refused: one that did not answer in time may have prepared it all
 * the same. Answers for each node whether it has confirmed.
 */
function abortPrepared(context: CommitContext, version: Uint8Array): Promise<boolean[]> {
  const { cluster, file, identity } = context
  return cluster.tellEach({
    op: 'abort-version',
    fields: { file, version },
    as: { by: 'user', identity },
  })
}

async function outcomeOf<T>(node: number, attempt: Promise<T>): Promise<Outcome<T>> {
  try {
    return { node, value: await attempt }
  } catch (cause) {
    if (cause instanceof DfsError) return { node, error: cause }
    const message = `${nodeName(node)} could not be asked to keep the file.`
    return { node, error: new DfsError('INTERNAL', message, { cause }) }
  }
}

/** The newest version that a refusal names. */
export function newestNamed(failures: readonly DfsError[]): Uint8Array {
  const named = failures.map(({ detail }) => Buffer.from(String(detail.newest ?? ''), 'hex'))
  return (
    named
      .filter((bytes) => bytes.length === VERSION_BYTES)
      .sort(Buffer.compare)
      .at(-1) ?? Buffer.alloc(VERSION_BYTES)
  )
}

/** A version that was just committed: all eight copies are there. */
function storedInfo(description: Description, version: Uint8Array): FileInfo {
  return {
    ...describedFacts(description),
    version: Buffer.from(version).toString('hex'),
    copies: 0xff,
    state: 'complete',
    missingParts: [],
    missingNodes: [],
  }
}
