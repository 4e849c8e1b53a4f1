// One run of dfc: the open store and who is signed in. The store is opened at the first command
// that needs it, and in the prompt stays open; the last user who signed in stays signed in.
import { type DfcConf, readClusterKey } from '@fourfold/conf'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Identity } from '../dfs/identity.ts'
import type { NodeState, Store } from '../dfs/store.ts'
import { type Credentials, findCredentials } from './credentials.ts'
import { aborted, type Terminal } from './terminal.ts'

/** What slows down wrong passwords by address: all of this machine's tries count as one. */
export const ADDRESS = 'local'

export interface SessionOptions {
  conf: DfcConf
  terminal: Terminal
  /** True in the prompt, where standard input is the prompt's and questions are welcome. */
  isPrompt: boolean
}

export class Session implements AsyncDisposable {
  readonly conf: DfcConf
  readonly terminal: Terminal
  readonly isPrompt: boolean
  #store: Promise<Store> | undefined
  #open: Store | undefined
  #identity: Identity | undefined
  #keyError: unknown
  #signInFailure: unknown

  constructor(options: SessionOptions) {
    this.conf = options.conf
    this.terminal = options.terminal
    this.isPrompt = options.isPrompt
  }

  /** The store, after every node has answered or failed once. @throws DfsError ABORTED */
  async store(signal?: AbortSignal): Promise<Store> {
    this.#store ??= this.#openStore()
    return untilAborted(this.#store, signal)
  }

  /** The store, for commands of the operator. @throws DfsError FORBIDDEN, CONF_INVALID */
  async operatorStore(signal?: AbortSignal): Promise<Store> {
    const file = this.conf.cluster_key_file
    const store = await this.store(signal)
    if (this.#keyError !== undefined) throw this.#keyError
    if (readClusterKey(file) === undefined) {
      throw new DfsError('FORBIDDEN', `There is no cluster key at ${file}.`, {
        detail: { hint: 'This command is the operator’s: give the key with --cluster-key FILE.' },
      })
    }
    return store
  }

  /** What the store knows of the nodes; empty before it is open. */
  nodes(): NodeState[] {
    return this.#open?.nodes() ?? []
  }

  /** Folded name of the user who is signed in. */
  get user(): string | undefined {
    return this.#identity?.user
  }

  /**
   * The user to act as: `typed`, else who is signed in, else as `findCredentials` says.
   * @throws DfsError as Store.signIn and findCredentials
   */
  async identity(typed: Credentials | undefined, signal?: AbortSignal): Promise<Identity> {
    if (typed === undefined && this.#identity !== undefined) return this.#identity
    const { terminal, conf } = this
    const credentials = await findCredentials({
      typed,
      terminal,
      conf: conf.user,
      ...(signal !== undefined && { signal }),
    })
    return this.signIn(credentials, signal)
  }

  /** Signs in and remembers the user. */
  async signIn(credentials: Credentials, signal?: AbortSignal): Promise<Identity> {
    const store = await this.store(signal)
    const signingIn = store.signIn({ ...credentials, address: ADDRESS })
    try {
      this.#identity = await untilAborted(signingIn, signal)
      return this.#identity
    } catch (error) {
      this.#signInFailure = error
      throw error
    }
  }

  /** After a changed password, or the removal of the account. */
  forget(): void {
    this.#identity = undefined
  }

  /**
   * Forgets who is signed in where the nodes refuse them now; a mistyped sign-in changes nothing.
   */
  noteFailure(error: unknown): void {
    const isRefused = error instanceof DfsError && error.code === 'AUTH_FAILED'
    if (isRefused && error !== this.#signInFailure) this.forget()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const store = await this.#store?.catch(() => undefined)
    await store?.close()
  }

  async #openStore(): Promise<Store> {
    const { createStore } = await import('../dfs/create-store.ts')
    const clusterKey = this.#readKey()
    this.#open = createStore({ conf: this.conf, ...(clusterKey !== undefined && { clusterKey }) })
    await this.#open.ready(this.conf.limits.connect_timeout_ms)
    return this.#open
  }

  /** A key that cannot be read matters only to the operator's commands. */
  #readKey(): Buffer | undefined {
    try {
      return readClusterKey(this.conf.cluster_key_file)
    } catch (error) {
      this.#keyError = error
      return undefined
    }
  }
}

/** `work`, or ABORTED as soon as `signal` is given up; `work` itself goes on unseen. */
export async function untilAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work
  const { promise, reject } = Promise.withResolvers<never>()
  const giveUp = () => reject(aborted())
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp, { once: true })
  // Whichever loses the race must not count as an unhandled rejection.
  work.catch(() => {})
  promise.catch(() => {})
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
