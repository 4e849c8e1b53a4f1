// Decides whether a request may run: the right kind of prover, a fresh counter, a proof that holds.
// Looks at heads only, before any body is taken; knows no command beyond its audience.
import { createSecretKey } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { AccountBook } from './accounts.ts'
import {
  type Audience,
  authMessage,
  DfsError,
  type FrameHead,
  fakeStoredKey,
  foldUsername,
  KEY_BYTES,
  type Proof,
  type ProofKey,
  type Prover,
  proofKeyOf,
  verifyClusterProof,
  verifyUserProof,
} from './protocol/index.ts'
import { pairOf, type Throttle } from './throttle.ts'

/**
 * Users whose proofs held on one connection; beyond this number they are forgotten and prove again.
 */
const MAX_KNOWN_USERS = 10_000
/** Users whose keys are kept ready; the one longest unused goes first. */
const MAX_READY_KEYS = 10_000

/** What one connection has proved so far. */
export interface Session {
  readonly nonce: Uint8Array
  readonly address: string
  lastCounter: number
  isProved: boolean
  knownUsers: Set<string>
}

/** Who sent a request; `user` is empty where nobody is meant. */
export interface Sender {
  by: Prover | 'anyone'
  user: string
}

export interface ProofCheckOptions {
  node: number
  clusterKey: Uint8Array
  accounts: AccountBook
  throttle: Throttle
}

export type ProofCheck = (audience: Audience, head: FrameHead, session: Session) => Sender

/**
 * The check, which throws AUTH_REQUIRED, FORBIDDEN, USERNAME_INVALID, BAD_MESSAGE (counter),
 * AUTH_FAILED (delay the answer) or AUTH_THROTTLED.
 */
export function createProofCheck(options: ProofCheckOptions): ProofCheck {
  const { node, clusterKey, accounts, throttle } = options
  const clusterMac = createSecretKey(clusterKey)
  const ready = new LRUCache<string, { key: ProofKey; isKnown: boolean }>({ max: MAX_READY_KEYS })
  let generation = accounts.generation()

  /**
   * The key to check a user's proof against. Users that do not exist are kept like those that do,
   * and both keys are made, so that no time tells them apart.
   */
  function keyOf(user: string): { key: ProofKey; isKnown: boolean } {
    if (generation !== accounts.generation()) ready.clear()
    generation = accounts.generation()
    const known = ready.get(user)
    if (known !== undefined) return known
    const fake = fakeStoredKey(clusterKey, user)
    const stored = accounts.storedKeyOf(user)
    const found = { key: proofKeyOf(stored ?? fake), isKnown: stored !== undefined }
    ready.set(user, found)
    return found
  }

  function holds(proof: Proof, message: Buffer): boolean {
    if (proof.by === 'cluster') return verifyClusterProof(clusterMac, proof.clientProof, message)
    const { key, isKnown } = keyOf(proof.user)
    return verifyUserProof(key, proof.clientProof, message) && isKnown
  }

  return (audience, head, session) => {
    if (audience === 'anyone') return { by: 'anyone', user: '' }
    const { proof } = head
    if (proof === undefined) {
      throw new DfsError('AUTH_REQUIRED', 'This command needs a proof of who sends it.')
    }
    if (audience !== 'both' && audience !== proof.by) {
      throw new DfsError('FORBIDDEN', `This command is for the ${audience} to prove.`)
    }
    requireFolded(proof)
    if (proof.counter <= session.lastCounter) {
      const message = 'The counter of the proof is not greater than all before on this connection.'
      throw new DfsError('BAD_MESSAGE', message)
    }
    session.lastCounter = proof.counter
    const known = `${proof.by} ${proof.user}`
    const pair = pairOf(known, session.address)
    if (!session.knownUsers.has(known) && throttle.isClosed(pair)) {
      throw new DfsError('AUTH_THROTTLED', 'Too many failed proofs of this user are waiting.')
    }
    const { by, counter, user } = proof
    const context = { node, nonce: session.nonce, counter, by, user, header: head.headerBytes }
    if (!holds(proof, authMessage(context))) {
      throw new DfsError('AUTH_FAILED', 'The user name or the password is wrong.')
    }
    session.isProved = true
    if (session.knownUsers.size >= MAX_KNOWN_USERS) session.knownUsers.clear()
    session.knownUsers.add(known)
    return { by, user }
  }
}

/** The cluster may mean no user; whoever is meant is named in the one canonical form. */
function requireFolded(proof: Proof): void {
  if (proof.by === 'cluster' && proof.user === '') return
  requireFoldedName(proof.user)
}

/** @throws DfsError USERNAME_INVALID */
export function requireFoldedName(user: string): void {
  if (foldUsername(user) !== user) {
    throw new DfsError('USERNAME_INVALID', 'The user name is not in its folded (lower case) form.')
  }
}

export function newSession(nonce: Uint8Array, address: string): Session {
  if (nonce.length !== KEY_BYTES) throw new RangeError('a nonce has 32 bytes')
  return { nonce, address, lastCounter: -1, isProved: false, knownUsers: new Set() }
}
