// A new password: the same user key, wrapped anew, in one record on all four nodes. A change that
// was cut off between the nodes leaves some with the old record and some with the new one; both
// passwords hold until then, and repeating the change brings the new record to all.
import { randomInt } from 'node:crypto'
import { type AccountRecord, DfsError, nodeName } from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster } from './cluster.ts'
import type { Actor } from './connection.ts'
import type { Identity } from './identity.ts'
import type { Proven, SignIn } from './sign-in.ts'

export interface PasswordChange {
  /** Folded. */
  user: string
  oldPassword: string
  newPassword: string
  address: string
}

export interface NewRecord {
  user: string
  password: string
  userKey: Uint8Array
  change: number
}

export interface RecordedUser {
  account: AccountRecord
  identity: Identity
}

export interface PasswordContext {
  cluster: Cluster
  signIn: SignIn
  recordFor(record: NewRecord): Promise<RecordedUser>
  replaceRecord(account: AccountRecord, as: Actor, nodes?: readonly number[]): Promise<void>
}

/** Who the user is from now on. For its errors see `Accounts.changePassword`. */
export async function changePassword(
  context: PasswordContext,
  change: PasswordChange,
): Promise<Identity> {
  const { signIn } = context
  const { user, oldPassword, newPassword, address } = change
  try {
    return await signIn.throttled(user, address, async () => {
      const old = await acceptedBy(context, { user, password: oldPassword, nodes: ALL_NODES })
      const others = ALL_NODES.filter((node) => !old.nodes.includes(node))
      if (old.proven !== undefined && others.length === 0) {
        return await renew(context, change, old.proven)
      }
      // Cut off before, or done before: the new password tells.
      const fresh = await acceptedBy(context, { user, password: newPassword, nodes: others })
      if (fresh.proven === undefined || fresh.nodes.length < others.length) {
        throw notAlike(old, others, fresh.nodes)
      }
      if (old.proven !== undefined) {
        const as = { by: 'user', identity: old.proven.identity } as const
        await context.replaceRecord(fresh.proven.account, as, old.nodes)
      }
      return fresh.proven.identity
    })
  } finally {
    signIn.forget(user)
  }
}

/** The usual case: all four nodes have the same record, and the old password is right. */
async function renew(
  { cluster, recordFor, replaceRecord }: PasswordContext,
  { user, newPassword }: PasswordChange,
  { identity }: Proven,
): Promise<Identity> {
  const as = { by: 'user', identity } as const
  const outcomes = await cluster.callEach(ALL_NODES, () => ({ op: 'account', fields: {}, as }))
  const failure = outcomes.find(({ error }) => error !== undefined)?.error
  if (failure !== undefined) throw failure
  const change = changeAfter(outcomes.map(({ value }) => value!.header.account.change))
  const userKey = identity.userKey.export()
  const fresh = await recordFor({ user, password: newPassword, userKey, change })
  await replaceRecord(fresh.account, as)
  return fresh.identity
}

/** Which of `nodes` take a password for right; they have one and the same record. */
async function acceptedBy(
  { signIn }: PasswordContext,
  { user, password, nodes }: { user: string; password: string; nodes: readonly number[] },
): Promise<{ proven?: Proven; nodes: readonly number[] }> {
  try {
    const proven = await signIn.prove(user, password, nodes)
    return { proven, nodes: proven.nodes }
  } catch (error) {
    if (error instanceof DfsError && error.code === 'AUTH_FAILED') return { nodes: [] }
    throw error
  }
}

/** No node takes the old password: it is wrong. Some do: the others must catch up first. */
function notAlike(
  old: { proven?: Proven; nodes: readonly number[] },
  others: readonly number[],
  fresh: readonly number[],
): DfsError {
  if (old.proven === undefined && fresh.length === 0) {
    return new DfsError('AUTH_FAILED', 'The old password is wrong.')
  }
  const behind = others.filter((node) => !fresh.includes(node)).map(nodeName)
  const message = `${behind.join(', ')} has another record of the account and must catch up first.`
  return new DfsError('BUSY', message, { detail: { nodes: behind } })
}

/**
 * A number greater than all `changes`. Two changes at once must not get the same one, or the end of
 * the first would undo the second on some nodes: so it is made of the time and chance.
 */
export function changeAfter(changes: readonly number[]): number {
  return Math.max(Math.max(...changes) + 1, Date.now() * 1000 + randomInt(1000))
}
