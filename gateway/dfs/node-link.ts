// The standing link to one node: one connection for small commands, kept up by pings and
// reconnects, and a pool of connections for bulk. Knows whether the node is up and tells whoever
// asked to know.
import { DfsError, nodeName } from '@fourfold/storage-node/protocol'
import { NodeConnection } from './connection.ts'
import type { NodeAddress } from './node-socket.ts'
import type { NodeState } from './store.ts'

const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 2000
/** A bulk connection that nobody took for this long is closed; the node's own limit is longer. */
const IDLE_BULK_MS = 30_000

export interface NodeLinkOptions {
  address: NodeAddress
  connectTimeoutMs: number
  pingEveryMs: number
  pingTimeoutMs: number
  /** Most bulk connections kept open for later. */
  idleBulkConnections: number
  onChange(): void
}

export class NodeLink implements AsyncDisposable {
  readonly index: number
  readonly #options: NodeLinkOptions
  #control: NodeConnection | undefined
  #idleBulk: { connection: NodeConnection; timer: NodeJS.Timeout }[] = []
  #state: NodeState
  #isClosed = false
  /** Ends an attempt to connect: a node that is hung must not hold up the end of the process. */
  #closing = new AbortController()
  #wake: (() => void) | undefined
  #firstTry = Promise.withResolvers<void>()

  constructor(options: NodeLinkOptions) {
    const { index, host, port } = options.address
    this.index = index
    this.#options = options
    this.#state = {
      name: nodeName(index),
      address: `${host}:${port}`,
      health: 'connecting',
      sinceMs: Date.now(),
    }
    void this.#run()
  }

  get state(): NodeState {
    return this.#state
  }

  get isUp(): boolean {
    return this.#state.health === 'up'
  }

  /** Up, and connected: a connection may have broken a moment before the link is down. */
  get isOpen(): boolean {
    return this.#control?.isOpen === true && this.isUp
  }

  /** Resolves after the first attempt to connect, however it ended. */
  get firstTry(): Promise<void> {
    return this.#firstTry.promise
  }

  /** The random id of the node's folder. Only while up. */
  get epoch(): Uint8Array | undefined {
    return this.#control?.epoch
  }

  /** The connection for small commands. @throws DfsError NODE_GONE while the node is not up */
  control(): NodeConnection {
    if (this.isOpen) return this.#control!
    const { name, reason } = this.#state
    const message = `${name} is not answering${reason === undefined ? '' : ` (${reason})`}.`
    throw new DfsError('NODE_GONE', message, { node: this.index + 1 })
  }

  /** A connection for one transfer alone; give it back with `returnBulk`, or close it. */
  async takeBulk(): Promise<NodeConnection> {
    this.control()
    for (let idle = this.#idleBulk.pop(); idle !== undefined; idle = this.#idleBulk.pop()) {
      clearTimeout(idle.timer)
      if (idle.connection.isOpen) return idle.connection
    }
    return NodeConnection.open(this.#options.address, this.#options.connectTimeoutMs)
  }

  returnBulk(connection: NodeConnection): void {
    const isWanted = this.#idleBulk.length < this.#options.idleBulkConnections && !this.#isClosed
    if (!connection.isOpen || !connection.isIdle || !isWanted) {
      connection.close()
      return
    }
    connection.resume()
    const timer = setTimeout(() => connection.close(), IDLE_BULK_MS)
    timer.unref()
    this.#idleBulk.push({ connection, timer })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    this.#wake?.()
    this.#control?.close()
    this.#dropBulk()
  }

  /** Connect, ping until it fails, wait a little longer each time, again. */
  async #run(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS
    while (!this.#isClosed) {
      try {
        await using connection = await this.#connect()
        backoffMs = FIRST_BACKOFF_MS
        await this.#pingUntilClosed(connection)
      } catch (error) {
        this.#setDown(error)
      }
      this.#control = undefined
      this.#dropBulk()
      this.#firstTry.resolve()
      await this.#pause(backoffMs * (0.5 + Math.random() / 2))
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS)
    }
    this.#firstTry.resolve()
  }

  async #connect(): Promise<NodeConnection> {
    const connection = await NodeConnection.open(
      this.#options.address,
      this.#options.connectTimeoutMs,
      this.#closing.signal,
    )
    if (this.#isClosed) connection.close()
    this.#control = connection
    return connection
  }

  async #pingUntilClosed(connection: NodeConnection): Promise<never> {
    // Once, not in each round: a promise keeps all that wait for it until it settles.
    void connection.closed.then(() => this.#wake?.())
    for (;;) {
      const startedMs = performance.now()
      const { header } = await connection.request({
        op: 'ping',
        fields: {},
        as: { by: 'anyone' },
        timeoutMs: this.#options.pingTimeoutMs,
      })
      const latencyMs = Math.round((performance.now() - startedMs) * 100) / 100
      this.#setUp({ latencyMs, isFull: header.isFull })
      this.#firstTry.resolve()
      if (connection.isOpen) await this.#pause(this.#options.pingEveryMs)
      if (!connection.isOpen) throw await connection.closed
      if (this.#isClosed) throw new DfsError('ABORTED', 'The link was closed.')
    }
  }

  #setUp(seen: { latencyMs: number; isFull: boolean }): void {
    const { name, address } = this.#state
    this.#setState({ name, address, health: 'up', sinceMs: this.#state.sinceMs, ...seen })
  }

  #setDown(error: unknown): void {
    const { name, address } = this.#state
    const reason = error instanceof Error ? error.message : String(error)
    this.#setState({ name, address, health: 'down', sinceMs: this.#state.sinceMs, reason })
  }

  #setState(next: NodeState): void {
    const before = this.#state
    const hasChanged = before.health !== next.health || before.isFull !== next.isFull
    const sinceMs = before.health === next.health ? before.sinceMs : Date.now()
    this.#state = { ...next, sinceMs }
    if (hasChanged && !this.#isClosed) this.#options.onChange()
  }

  #dropBulk(): void {
    for (const { connection, timer } of this.#idleBulk) {
      clearTimeout(timer)
      connection.close()
    }
    this.#idleBulk = []
  }

  #pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(finish, ms)
      this.#wake = finish
    })
  }
}
