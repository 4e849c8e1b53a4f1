// Gives a cluster that has no account its first one, so that the first `npm start` ends at a page
// one can sign in to. Talks to the nodes with the operator's key.
import { randomInt } from 'node:crypto'
import { type DfcConf, readClusterKey } from '@fourfold/conf'
import { createStore } from '../dfs/create-store.ts'

/** Without letters and digits that look alike: 16 of them are 79 bits. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
const GROUPS = 4
const GROUP_LENGTH = 4

export interface FirstAccount {
  user: string
  /** Set where it was made here and must be shown. */
  madePassword?: string
}

/**
 * The account made now, or undefined where accounts exist.
 * @throws DfsError NODES_UNAVAILABLE, PASSWORD_INVALID
 */
export async function makeFirstAccount(
  conf: DfcConf,
  account: { user: string; password?: string },
): Promise<FirstAccount | undefined> {
  const clusterKey = readClusterKey(conf.cluster_key_file)
  const store = createStore({ conf, ...(clusterKey === undefined ? {} : { clusterKey }) })
  try {
    await store.ready()
    if ((await store.accounts.list()).length > 0) return undefined
    const password = account.password ?? randomPassword()
    await store.accounts.add({ user: account.user, password })
    const isMade = account.password === undefined
    return { user: account.user, ...(isMade ? { madePassword: password } : {}) }
  } finally {
    await store.close()
  }
}

function randomPassword(): string {
  const letter = () => ALPHABET[randomInt(ALPHABET.length)]!
  const group = () => Array.from({ length: GROUP_LENGTH }, letter).join('')
  return Array.from({ length: GROUPS }, group).join('-')
}
