// The keys below a user's password, as DESIGN §3 says: the user key is wrapped by a key from the
// password; the name key and the entry key come from the user key. Pure functions over node:crypto.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import {
  DfsError,
  FILE_ID_BYTES,
  freshRandom,
  KEY_BYTES,
  TAG_BYTES,
} from '@fourfold/storage-node/protocol'

export const NONCE_BYTES = 12
/** By which a sealed record is longer than what it says. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES

/** HKDF-SHA-256 (RFC 5869) of the user key, no salt: the name key and the entry key. */
export function fileKeysOf(userKey: KeyObject): { nameKey: KeyObject; entryKey: KeyObject } {
  return {
    nameKey: expand(userKey, 'fourfold name'),
    entryKey: expand(userKey, 'fourfold entry'),
  }
}

/** Of the same kind: key and name (32 hex digits) of a gateway's own snapshot of a listing. */
export function listingKeysOf(userKey: KeyObject): { key: KeyObject; name: string } {
  const name = expand(userKey, 'fourfold listing name').export()
  return { key: expand(userKey, 'fourfold listing'), name: name.toString('hex', 0, 16) }
}

/**
 * What a node knows a file by: the first 16 bytes of HMAC-SHA-256(name key, name in NFC, UTF-8).
 */
export function fileIdOf(nameKey: KeyObject, name: string): Buffer {
  return createHmac('sha256', nameKey).update(name, 'utf8').digest().subarray(0, FILE_ID_BYTES)
}

/** A new user's key: 32 random bytes. */
export function newUserKey(): Buffer {
  return randomBytes(KEY_BYTES)
}

/** `nonce(12) ciphertext(32) tag(16)`, AES-256-GCM, bound to the folded user name. */
export function wrapUserKey(wrappingKey: Uint8Array, user: string, userKey: Uint8Array): Buffer {
  return sealBytes(createSecretKey(wrappingKey), wrapContext(user), userKey)
}

/** @throws DfsError AUTH_FAILED where the key does not open it */
export function unwrapUserKey(wrappingKey: Uint8Array, user: string, wrapped: Uint8Array): Buffer {
  const opened = openBytes(createSecretKey(wrappingKey), wrapContext(user), wrapped)
  if (opened === undefined) {
    throw new DfsError('AUTH_FAILED', 'The account record does not open with this password.')
  }
  return opened
}

/** Seals a small record under a random nonce: `nonce(12) ciphertext tag(16)`. */
export function sealBytes(key: KeyObject, context: Uint8Array, plain: Uint8Array): Buffer {
  const nonce = freshRandom(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(context)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Opens what `sealBytes` made; undefined where key, context or bytes are not the same. */
export function openBytes(
  key: KeyObject,
  context: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  if (sealed.length < SEAL_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES))
  decipher.setAAD(context)
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const plain = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plain
}

function wrapContext(user: string): Buffer {
  return Buffer.from(`fourfold user key ${user}`)
}

function expand(userKey: KeyObject, info: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', userKey, '', info, KEY_BYTES)))
}
