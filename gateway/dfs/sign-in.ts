// From a name and a password to an Identity: salt, derivation off the event loop, proof, user key.
// Remembers derived identities for a while, keyed so that no password can be read back from
// memory's keys, and limits how many derivations run at once, for each costs a tenth of a second of
// a core.
import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import {
  type AccountRecord,
  clientKey,
  DfsError,
  foldUsername,
  keyEncryptionKey,
  MAX_ROUNDS,
  saltedPassword,
} from '@fourfold/storage-node/protocol'
import { LRUCache } from 'lru-cache'
import { ALL_NODES, type Cluster, joinNames } from './cluster.ts'
import { Gate } from './gate.ts'
import { createIdentity, type Identity } from './identity.ts'
import { unwrapUserKey } from './keys.ts'
import { createTurns, inTurn, type Turns } from './throttle.ts'

const MAX_REMEMBERED = 4096
const WRONG = 'That name and password do not match.'

export interface SignInOptions {
  cluster: Cluster
  /** Derivations at once, and how many may wait for theirs. */
  derivations: number
  derivationsWaiting: number
  waitTimeoutMs: number
  /** How long an identity is remembered. */
  rememberMs: number
  /** PBKDF2 rounds below which a node's answer is not believed. */
  minRounds: number
  /** Default: of this process alone. */
  turns?: Turns
}

export interface Credentials {
  user: string
  password: string
  /** Where the try comes from: what is slowed down after a failure. */
  address: string
}

/** Keys that come from a password, before any node has confirmed them. */
export interface DerivedKeys {
  clientKeys: Buffer[]
  /** Opens the wrapped user key. */
  wrappingKey: Buffer
}

/** Nodes that derive with the same salt and rounds. */
interface Salting {
  salt: Uint8Array
  rounds: number
  nodes: number[]
}

/** A user whose password some nodes hold for right. */
export interface Proven {
  identity: Identity
  /** What one of them keeps. */
  account: AccountRecord
  /** Nodes of the same salt. */
  nodes: number[]
}

export type SignIn = ReturnType<typeof createSignIn>

/** Sign-in against `cluster`, with its memory of identities and its limits. */
export function createSignIn(options: SignInOptions) {
  const { cluster } = options
  const memoryKey = createSecretKey(randomBytes(32))
  const remembered = new LRUCache<string, Identity>({
    max: MAX_REMEMBERED,
    ttl: options.rememberMs,
    updateAgeOnGet: true,
  })
  const underWay = new Map<string, Promise<Identity>>()
  const turns = options.turns ?? createTurns()
  const gate = new Gate({
    places: options.derivations,
    waiting: options.derivationsWaiting,
    waitTimeoutMs: options.waitTimeoutMs,
    what: 'sign-ins',
  })

  /** PBKDF2 in libuv's pool, bounded in number. @throws DfsError BUSY */
  async function derive(password: string, salt: Uint8Array, rounds: number): Promise<DerivedKeys> {
    const leave = await gate.enter()
    try {
      const salted = await saltedPassword({ password, salt, rounds })
      const clientKeys = ALL_NODES.map((node) => clientKey(salted, node + 1))
      return { clientKeys, wrappingKey: keyEncryptionKey(salted) }
    } finally {
      leave()
    }
  }

  /**
   * What `nodes` say of a user's salt; what most of them say comes first. They differ where one was
   * emptied, or a change of password is under way or was cut off.
   * @throws DfsError NODES_UNAVAILABLE, AUTH_FAILED where a node is not to be believed
   */
  async function saltsOf(user: string, nodes: readonly number[]): Promise<Salting[]> {
    const outcomes = await cluster.callEach(nodes, () => ({
      op: 'salt',
      fields: { user },
      as: { by: 'anyone' },
    }))
    const groups = new Map<string, Salting>()
    for (const { node, value } of outcomes) {
      if (value === undefined) continue
      const { salt, rounds } = value.header
      const key = `${Buffer.from(salt).toString('hex')} ${rounds}`
      const group = groups.get(key) ?? { salt, rounds, nodes: [] }
      group.nodes.push(node)
      groups.set(key, group)
    }
    if (groups.size === 0) throw noNodes(cluster)
    const sorted = [...groups.values()].sort((a, b) => b.nodes.length - a.nodes.length)
    for (const { rounds } of sorted) {
      if (rounds >= options.minRounds && rounds <= MAX_ROUNDS) continue
      const message = `A node asks for ${rounds} PBKDF2 rounds, which is not believed.`
      throw new DfsError('AUTH_FAILED', message)
    }
    return sorted
  }

  /** Who the user is to nodes of one salt. @throws DfsError AUTH_FAILED, AUTH_THROTTLED */
  async function proveTo(user: string, password: string, salting: Salting): Promise<Proven> {
    const { salt, rounds, nodes } = salting
    const { clientKeys, wrappingKey } = await derive(password, salt, rounds)
    const candidate = createIdentity({ user, clientKeys, userKey: randomBytes(32) })
    let failure: DfsError | undefined
    for (const node of nodes) {
      try {
        const as = { by: 'user', identity: candidate } as const
        const { account } = (await cluster.call(node, { op: 'account', fields: {}, as })).header
        const userKey = unwrapUserKey(wrappingKey, user, account.wrappedKey)
        return { identity: createIdentity({ user, clientKeys, userKey }), account, nodes }
      } catch (error) {
        failure = error as DfsError
        if (failure.code === 'AUTH_FAILED') throw new DfsError('AUTH_FAILED', WRONG)
        if (failure.code === 'AUTH_THROTTLED') throw failure
      }
    }
    throw failure ?? noNodes(cluster)
  }

  /**
   * As `proveTo`, to any of `among`: nodes of the salt that most have, then of the next one, so
   * that both passwords hold while a change is not on all nodes.
   */
  async function prove(
    user: string,
    password: string,
    among: readonly number[] = cluster.live(),
  ): Promise<Proven> {
    const [most, next] = await saltsOf(user, among)
    try {
      return await proveTo(user, password, most!)
    } catch (error) {
      const isWrong = error instanceof DfsError && error.code === 'AUTH_FAILED'
      if (!isWrong || next === undefined) throw error
      return await proveTo(user, password, next)
    }
  }

  /** A try that is slowed down after failures of the same user from the same address. */
  function throttled<T>(user: string, address: string, attempt: () => Promise<T>): Promise<T> {
    return inTurn(turns, `${user}\0${address}`, attempt)
  }

  return {
    derive,
    prove,
    throttled,

    /** @throws DfsError AUTH_FAILED, AUTH_THROTTLED, NODES_UNAVAILABLE, BUSY */
    async signIn({ user, password, address }: Credentials): Promise<Identity> {
      const folded = foldOrFail(user)
      // HMAC fills its key up with zeros: NULs at the end of a password would count for nothing.
      if (password.includes('\0')) throw new DfsError('AUTH_FAILED', WRONG)
      const key = createHmac('sha256', memoryKey).update(`${folded}\0${password}`).digest('base64')
      const known = remembered.get(key)
      if (known !== undefined) return known
      const waiting = underWay.get(key)
      if (waiting !== undefined) return waiting
      const attempt = throttled(folded, address, async () => {
        return (await prove(folded, password)).identity
      })
      underWay.set(key, attempt)
      try {
        const identity = await attempt
        remembered.set(key, identity)
        return identity
      } finally {
        underWay.delete(key)
      }
    },

    /**
     * Asks a node, and where that does not take it the others, whether an identity still holds: it
     * does where one says so, as in `prove`. Where none answers there is nothing that it opens.
     * @throws DfsError AUTH_FAILED
     */
    async confirm(identity: Identity): Promise<void> {
      const as = { by: 'user', identity } as const
      const live = cluster.live()
      let refusal: DfsError | undefined
      for (const nodes of [live.slice(0, 1), live.slice(1)]) {
        const outcomes = await cluster.callEach(nodes, () => ({ op: 'account', fields: {}, as }))
        if (outcomes.some(({ value }) => value !== undefined)) return
        refusal ??= outcomes.find(({ error }) => error?.code === 'AUTH_FAILED')?.error
      }
      if (refusal !== undefined) throw refusal
    },

    /**
     * After a node refused its proof: the password has changed, or the account is gone. Identities
     * of that user that were not refused stay, or wrong guesses would sign the user out.
     */
    dismiss(refused: Identity): void {
      for (const [key, identity] of remembered.entries()) {
        if (identity === refused) remembered.delete(key)
      }
    },

    /** After a change of the account. */
    forget(user: string): void {
      for (const [key, identity] of remembered.entries()) {
        if (identity.user === user) remembered.delete(key)
      }
    },
  }
}

/** A name that cannot exist fails like one that does not. */
function foldOrFail(user: string): string {
  try {
    return foldUsername(user)
  } catch (cause) {
    throw new DfsError('AUTH_FAILED', WRONG, { cause })
  }
}

function noNodes(cluster: Cluster): DfsError {
  const nodes = cluster.missing()
  const message = `No node answers (${joinNames(nodes)}): nobody can sign in now.`
  return new DfsError('NODES_UNAVAILABLE', message, { detail: { nodes } })
}
