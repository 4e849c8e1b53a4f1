// Who dfc acts as. The first source that names a user wins, and a password is taken from no
// source that belongs to another user. What is missing is asked for on a terminal; elsewhere it
// is a usage error.
import { foldUsername } from '@fourfold/storage-node/protocol'
import { askLine, askSecret } from './questions.ts'
import type { Terminal } from './terminal.ts'
import { usageError } from './voice.ts'

export interface Credentials {
  user: string
  password: string
}

export type CredentialSource = { user?: string | undefined; password?: string | undefined }

export interface CredentialOptions {
  /** Typed after the file. */
  typed?: Credentials | undefined
  terminal: Terminal
  /** The `[user]` table of dfc.conf. */
  conf: { name?: string; password?: string }
  signal?: AbortSignal
}

/**
 * The user and password to sign in with.
 * @throws DfsError USAGE where they are not told and nobody can be asked, ABORTED on Ctrl-C
 */
export async function findCredentials(options: CredentialOptions): Promise<Credentials> {
  const { typed, terminal, conf, signal } = options
  const { DFC_USER, DFC_PASSWORD } = terminal.env
  const { user, password } = mergeSources([
    typed ?? {},
    { user: DFC_USER, password: DFC_PASSWORD },
    { user: conf.name, password: conf.password },
  ])
  if (user !== undefined && password !== undefined) return { user, password }
  if (!terminal.canAsk) {
    const missing = user === undefined ? 'user' : 'password'
    throw usageError(
      `There is no ${missing}: set DFC_USER and DFC_PASSWORD, or [user] in the conf file.`,
    )
  }
  const asked = user ?? (await askLine(terminal, 'User: ', signal))
  return { user: asked, password: password ?? (await askSecret(terminal, 'Password: ', signal)) }
}

/** The first user, and the first password of a source that names this user or nobody. */
export function mergeSources(sources: readonly CredentialSource[]): CredentialSource {
  const present = sources.map((source) => ({
    user: source.user || undefined,
    password: source.password || undefined,
  }))
  const user = present.find((source) => source.user !== undefined)?.user
  const password = present.find(
    (source) =>
      source.password !== undefined &&
      (source.user === undefined || (user !== undefined && isSameUser(source.user, user))),
  )?.password
  return { user, password }
}

function isSameUser(one: string, other: string): boolean {
  try {
    return foldUsername(one) === foldUsername(other)
  } catch {
    return one === other
  }
}
