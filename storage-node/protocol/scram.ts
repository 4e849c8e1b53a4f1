// Who proves what to whom: SCRAM-SHA-256 arithmetic (RFC 5802 section 3, RFC 7677), one ClientKey
// for each node, and the proof that every command carries. Pure functions over bytes; no sockets,
// no storage.
import {
  createHmac,
  createSecretKey,
  hash,
  type KeyObject,
  pbkdf2,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'

/** Bytes of SHA-256, and so of every key, nonce and proof here. */
export const KEY_BYTES = 32
export const SALT_BYTES = 16

/** Why a proof was made: by a user's ClientKey, or by the operator's cluster key. */
export type Prover = 'user' | 'cluster'

/**
 * A key of an HMAC. As raw bytes it is made into a KeyObject at every use, which costs five times
 * the HMAC itself: whoever proves or checks often keeps KeyObjects.
 */
export type MacKey = Uint8Array | KeyObject

/** A StoredKey, ready to check many proofs against. */
export interface ProofKey {
  readonly bytes: Uint8Array
  readonly mac: KeyObject
}

export interface ProofContext {
  /** The node that is asked, 1..4; binds the proof to it. */
  node: number
  /** The nonce of the node's greeting on this connection. */
  nonce: Uint8Array
  /** Greater than in every command before on this connection. */
  counter: number
  by: Prover
  /** Folded user name; empty where `by` is `cluster` and no user is meant. */
  user: string
  /** The CBOR header of the command, byte for byte; it names the body's lengths and checksums. */
  header: Uint8Array
}

const pbkdf2Async = promisify(pbkdf2)

/**
 * RFC 5802 `SaltedPassword := Hi(Normalize(password), salt, i)`; NFC stands for Normalize (RFC
 * 8265).
 */
export function saltedPassword(options: {
  password: string
  salt: Uint8Array
  rounds: number
}): Promise<Buffer> {
  const { password, salt, rounds } = options
  return pbkdf2Async(password.normalize('NFC'), salt, rounds, KEY_BYTES, 'sha256')
}

/**
 * RFC 5802 `ClientKey := HMAC(SaltedPassword, "Client Key")`, with the node's number (one byte)
 * appended.
 */
export function clientKey(salted: Uint8Array, node: number): Buffer {
  return hmac(salted, Buffer.from('Client Key'), Buffer.of(node))
}

/** RFC 5802 `StoredKey := H(ClientKey)`. */
export function storedKey(key: Uint8Array): Buffer {
  return hash('sha256', key, 'buffer')
}

/** A StoredKey (32 bytes) made ready to check proofs against. */
export function proofKeyOf(stored: Uint8Array): ProofKey {
  return { bytes: stored, mac: createSecretKey(stored) }
}

/** The key that wraps the user key: `HMAC(SaltedPassword, "Key Encryption Key")`. */
export function keyEncryptionKey(salted: Uint8Array): Buffer {
  return hmac(salted, Buffer.from('Key Encryption Key'))
}

/** RFC 5802 AuthMessage, with the parts of `ProofContext` in place of SASL's messages. */
export function authMessage(context: ProofContext): Buffer {
  const user = Buffer.from(context.user)
  const fixed = Buffer.alloc(11)
  fixed.writeUInt8(context.node, 0)
  fixed.writeUInt8(context.by === 'user' ? 0 : 1, 1)
  fixed.writeBigUInt64BE(BigInt(context.counter), 2)
  fixed.writeUInt8(user.length, 10)
  return Buffer.concat([PROOF_LABEL, context.nonce, fixed, user, context.header])
}

/** RFC 5802 `ClientProof := ClientKey XOR HMAC(StoredKey, AuthMessage)`: what a user sends. */
export function userProof(key: Uint8Array, stored: MacKey, message: Uint8Array): Buffer {
  return xor(key, hmac(stored, message))
}

/** Whether `proof` shows the ClientKey behind `stored`; takes the same time whatever the answer. */
export function verifyUserProof(stored: ProofKey, proof: Uint8Array, message: Uint8Array): boolean {
  if (proof.length !== KEY_BYTES) return false
  const shown = xor(proof, hmac(stored.mac, message))
  return timingSafeEqual(storedKey(shown), stored.bytes)
}

/** What the operator or a peer sends: `HMAC(cluster key, AuthMessage)`. */
export function clusterProof(key: MacKey, message: Uint8Array): Buffer {
  return hmac(key, message)
}

/** Whether `proof` was made with `key`; takes the same time whatever the answer. */
export function verifyClusterProof(key: MacKey, proof: Uint8Array, message: Uint8Array): boolean {
  return proof.length === KEY_BYTES && timingSafeEqual(proof, clusterProof(key, message))
}

/**
 * The salt that a node shows for a user it does not know: stable, the same on all nodes of a
 * cluster, and without the cluster key not to be told from a real one.
 */
export function fakeSalt(clusterKey: Uint8Array, user: string): Buffer {
  return hmac(clusterKey, Buffer.from('Fake Salt'), Buffer.from(user)).subarray(0, SALT_BYTES)
}

/** The StoredKey against which the proof of an unknown user is tried, and fails. */
export function fakeStoredKey(clusterKey: Uint8Array, user: string): Buffer {
  return hmac(clusterKey, Buffer.from('Fake Stored Key'), Buffer.from(user))
}

/**
 * What a node answers to a peer's `challenge`: that it has the cluster key too. `nonce` is that of
 * its greeting on this connection, `node` its number (1..4).
 */
export function peerProof(
  key: Uint8Array,
  peer: { node: number; nonce: Uint8Array; challenge: Uint8Array },
): Buffer {
  return hmac(key, PEER_LABEL, peer.nonce, peer.challenge, Buffer.of(peer.node))
}

const PEER_LABEL = Buffer.from('fourfold peer 1')
const PROOF_LABEL = Buffer.from('fourfold proof 1')

function hmac(key: MacKey, ...parts: Uint8Array[]): Buffer {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  const out = Buffer.alloc(a.length)
  for (let i = 0; i < a.length; i++) out[i] = a[i]! ^ b[i]!
  return out
}
