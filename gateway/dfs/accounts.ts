// Making, changing and removing accounts: the same record on all four nodes, or on none.
// Each change is prepared on all nodes and then committed on all; repeating a change that was cut
// off finishes it.
import { randomBytes } from 'node:crypto'
import {
  type AccountRecord,
  DfsError,
  foldUsername,
  nodeName,
  SALT_BYTES,
  storedKey,
} from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster } from './cluster.ts'
import type { Actor } from './connection.ts'
import { createIdentity } from './identity.ts'
import { newUserKey, unwrapUserKey, wrapUserKey } from './keys.ts'
import {
  changeAfter,
  changePassword,
  type NewRecord,
  type RecordedUser,
} from './password-change.ts'
import type { SignIn } from './sign-in.ts'
import type { Accounts } from './store.ts'

const MIN_PASSWORD_BYTES = 8
const MAX_PASSWORD_BYTES = 1024

export interface AccountsOptions {
  cluster: Cluster
  signIn: SignIn
  clusterKey: Buffer | undefined
  /** PBKDF2 rounds of new records. */
  rounds: number
}

/** The operator's and the users' work on accounts; see `Accounts` for what each does and throws. */
export function createAccounts(options: AccountsOptions): Accounts {
  const { cluster, signIn, rounds } = options

  function operator(user?: string): Actor {
    const key = options.clusterKey
    if (key === undefined) {
      throw new DfsError('FORBIDDEN', 'There is no cluster key here; operators need it.')
    }
    return { by: 'cluster', key, ...(user !== undefined && { user }) }
  }

  /** The record, the same for all nodes, and who the user is under it. */
  async function recordFor({ user, password, userKey, change }: NewRecord): Promise<RecordedUser> {
    const salt = randomBytes(SALT_BYTES)
    const { clientKeys, wrappingKey } = await signIn.derive(password, salt, rounds)
    const wrappedKey = wrapUserKey(wrappingKey, user, userKey)
    const storedKeys = clientKeys.map((key) => storedKey(key))
    const account = { user, change, salt, rounds, storedKeys, wrappedKey }
    return { account, identity: createIdentity({ user, clientKeys, userKey }) }
  }

  async function replaceRecord(
    account: AccountRecord,
    as: Actor,
    nodes: readonly number[] = ALL_NODES,
  ): Promise<void> {
    const { change } = account
    const prepared = await cluster.callEach(nodes, () => ({
      op: 'account-prepare',
      fields: { account },
      as,
    }))
    const failure = prepared.find(({ error }) => error !== undefined)?.error
    if (failure !== undefined) {
      await cluster.callEach(nodes, () => ({ op: 'account-abort', fields: { change }, as }))
      throw failure
    }
    const committed = await cluster.callEach(nodes, () => ({
      op: 'account-commit',
      fields: { change },
      as,
    }))
    const cutOff = committed.find(({ error }) => error !== undefined)
    if (cutOff?.error === undefined) return
    const message = `${nodeName(cutOff.node)} did not confirm the account; repeat the command to finish it.`
    throw new DfsError('OUTCOME_UNKNOWN', message, { cause: cutOff.error })
  }

  /**
   * The record of each node, undefined where it has none.
   * @throws DfsError where a node does not answer
   */
  async function recordsOf(as: Actor): Promise<(AccountRecord | undefined)[]> {
    const outcomes = await cluster.callEach(ALL_NODES, () => ({ op: 'account', fields: {}, as }))
    return outcomes.map(({ value, error }) => {
      if (value !== undefined) return value.header.account
      if (error.code === 'ACCOUNT_UNKNOWN') return undefined
      if (error.code === 'AUTH_FAILED' || error.code === 'FORBIDDEN') {
        throw new DfsError('FORBIDDEN', 'The nodes do not accept this cluster key.', {
          cause: error,
        })
      }
      throw error
    })
  }

  /** All users of one node, page by page. */
  async function usersOn(node: number, as: Actor): Promise<string[]> {
    const users: string[] = []
    for (let more = true; more; ) {
      const fields = { after: users.at(-1) ?? '' }
      const { header } = await cluster.call(node, { op: 'account-list', fields, as })
      users.push(...header.users)
      more = header.more && header.users.length > 0
    }
    return users
  }

  /**
   * The user key of an account that some nodes have: `add` was cut off, or a node lost its folder.
   * With the account's own password it is completed; never is a new key put in place of one that
   * opens files.
   */
  async function keyOfPartial(record: AccountRecord, password: string): Promise<Buffer> {
    const { user, salt, rounds: itsRounds, wrappedKey } = record
    const { wrappingKey } = await signIn.derive(password, salt, itsRounds)
    try {
      return unwrapUserKey(wrappingKey, user, wrappedKey)
    } catch (cause) {
      const message = `There is an account ${user}, but not on all nodes. Its own password completes it.`
      throw new DfsError('ACCOUNT_EXISTS', message, { cause })
    }
  }

  return {
    async add({ user: name, password }) {
      const user = foldUsername(name)
      checkPassword(password)
      const as = operator(user)
      requireAllUp(cluster)
      const existing = await recordsOf(as)
      if (existing.every((record) => record !== undefined)) {
        throw new DfsError('ACCOUNT_EXISTS', `There is an account ${user} already.`)
      }
      const partial = existing.find((record) => record !== undefined)
      const userKey = partial === undefined ? newUserKey() : await keyOfPartial(partial, password)
      const change = changeAfter(existing.map((record) => record?.change ?? 0))
      const { account } = await recordFor({ user, password, userKey, change })
      await replaceRecord(account, as)
    },

    async changePassword(change) {
      checkPassword(change.newPassword)
      requireAllUp(cluster)
      const context = { cluster, signIn, recordFor, replaceRecord }
      return changePassword(context, { ...change, user: foldUsername(change.user) })
    },

    async remove(name) {
      const user = foldUsername(name)
      const as = operator(user)
      requireAllUp(cluster)
      const outcomes = await cluster.callEach(ALL_NODES, () => ({
        op: 'account-remove',
        fields: {},
        as,
      }))
      signIn.forget(user)
      const failure = outcomes.find(({ error }) => error !== undefined)?.error
      if (failure !== undefined) throw failure
      if (outcomes.every(({ value }) => value?.header.existed === false)) {
        throw new DfsError('ACCOUNT_UNKNOWN', `There is no account ${user}.`)
      }
    },

    async list() {
      const as = operator()
      const live = cluster.live()
      if (live.length === 0) requireAllUp(cluster)
      const lists = await Promise.all(live.map((node) => usersOn(node, as)))
      return [...new Set(lists.flat())].sort()
    },
  }
}

/** Accounts change on all nodes or on none, full disks or not. */
function requireAllUp(cluster: Cluster): void {
  const nodes = cluster.missing()
  if (nodes.length === 0) return
  const message = `${nodes.join(', ')} not answering: accounts are changed on all four nodes or on none.`
  throw new DfsError('NODES_UNAVAILABLE', message, { detail: { nodes } })
}

/** Exact bytes count, no rule about their kinds. @throws DfsError PASSWORD_INVALID */
export function checkPassword(password: string): void {
  const lengthBytes = Buffer.byteLength(password.normalize('NFC'))
  const isRight = lengthBytes >= MIN_PASSWORD_BYTES && lengthBytes <= MAX_PASSWORD_BYTES
  if (isRight && password.isWellFormed() && !password.includes('\0')) return
  const message = `A password has ${MIN_PASSWORD_BYTES} to ${MAX_PASSWORD_BYTES} bytes.`
  throw new DfsError('PASSWORD_INVALID', message)
}
