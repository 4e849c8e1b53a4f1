// A signed-in user: what acts for them at the nodes and opens their files. Never written to a disk;
// a browser keeps it for the gateway inside an encrypted cookie.
import { createSecretKey, type KeyObject } from 'node:crypto'
import { KEY_BYTES, NODE_COUNT, storedKey } from '@fourfold/storage-node/protocol'
import { fileKeysOf } from './keys.ts'

export interface Identity {
  /** Folded user name. */
  readonly user: string
  /** One ClientKey for each node and the StoredKey made from it, node 0..3. */
  readonly clientKeys: readonly Buffer[]
  readonly storedKeys: readonly KeyObject[]
  /** Makes file ids from names. */
  readonly nameKey: KeyObject
  /** Seals and opens descriptions. */
  readonly entryKey: KeyObject
  /** The key of which the two above are made; wrapped anew when the password changes. */
  readonly userKey: KeyObject
}

/** Keys for a user (folded name): four ClientKeys, node 0..3, and the 32-byte user key. */
export function createIdentity(options: {
  user: string
  clientKeys: readonly Buffer[]
  userKey: Uint8Array
}): Identity {
  const { user, clientKeys } = options
  const userKey = createSecretKey(options.userKey)
  return {
    user,
    clientKeys,
    storedKeys: clientKeys.map((key) => createSecretKey(storedKey(key))),
    userKey,
    ...fileKeysOf(userKey),
  }
}

/** The identity as bytes for an encrypted cookie: four ClientKeys, the user key, the name. */
export function exportIdentity(identity: Identity): Buffer {
  return Buffer.concat([
    ...identity.clientKeys,
    identity.userKey.export(),
    Buffer.from(identity.user),
  ])
}

/** Reads what `exportIdentity` wrote; undefined where the bytes are not such. */
export function importIdentity(bytes: Buffer): Identity | undefined {
  const fixed = (NODE_COUNT + 1) * KEY_BYTES
  if (bytes.length <= fixed) return undefined
  const keyAt = (index: number) =>
    Buffer.from(bytes.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES))
  return createIdentity({
    user: bytes.toString('utf8', fixed),
    clientKeys: [0, 1, 2, 3].map(keyAt),
    userKey: keyAt(NODE_COUNT),
  })
}
