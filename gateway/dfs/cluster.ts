// The four nodes together: who is up, and one call to one or all of them. Knows links, not files.
import { DfsError, NODE_COUNT, nodeName, type Op } from '@fourfold/storage-node/protocol'
import type { Actor, Answer, Call } from './connection.ts'
import { createErrands } from './errands.ts'
import { afterFairly } from './fair-timer.ts'
import { createHedge } from './hedge.ts'
import type { Identity } from './identity.ts'
import { NodeLink } from './node-link.ts'
import type { NodeAddress } from './node-socket.ts'
import { Roster } from './roster.ts'
import type { Piece } from './row.ts'
import type { NodeState } from './store.ts'

export interface ClusterOptions {
  addresses: readonly NodeAddress[]
  limits: {
    connect_timeout_ms: number
    request_timeout_ms: number
    stall_timeout_ms: number
    slow_ms: number
    ping_every_ms: number
    ping_timeout_ms: number
    bulk_connections: number
  }
  /** Told when a node refuses the proof of an identity: it may be out of date. */
  onAuthFailed?(identity: Identity): void
}

/** What one node of several answered: a value or an error, never both. */
export type Outcome<T> = { node: number } & (
  | { value: T; error?: undefined }
  | { error: DfsError; value?: undefined }
)

export interface NodeCall<O extends Op> {
  op: O
  fields: Call<O>['fields']
  as: Actor
  body?: readonly Piece[]
  /** Default: conf limits.request_timeout_ms. */
  timeoutMs?: number
  signal?: AbortSignal | undefined
}

export type Cluster = ReturnType<typeof createCluster>

/** Opens the links; they connect in the background. */
export function createCluster(options: ClusterOptions) {
  const { limits, onAuthFailed } = options
  const listeners = new Roster<(nodes: NodeState[]) => void>()
  let listenerCount = 0
  const links = options.addresses.map(
    (address) =>
      new NodeLink({
        address,
        connectTimeoutMs: limits.connect_timeout_ms,
        pingEveryMs: limits.ping_every_ms,
        pingTimeoutMs: limits.ping_timeout_ms,
        idleBulkConnections: limits.bulk_connections,
        onChange: () => tell(),
      }),
  )

  const errands = createErrands({
    nodeCount: NODE_COUNT,
    call,
    isLive: (node) => links[node]!.isUp,
  })

  function tell(): void {
    for (const id of listeners.ids()) listeners.get(id)?.(states())
    errands.onChange()
  }

  /** Calls `listener` when a node's state changes; answers how to end that. */
  function onChange(listener: (nodes: NodeState[]) => void): () => void {
    const id = listenerCount++
    listeners.add(id, listener)
    return () => listeners.delete(id)
  }

  function states(): NodeState[] {
    return links.map((link) => link.state)
  }

  /** Nodes (0..3) that take commands now. */
  function live(): number[] {
    return links.filter((link) => link.isUp).map((link) => link.index)
  }

  /** Names of the nodes that take no commands now. */
  function missing(): string[] {
    return links.filter((link) => !link.isUp).map((link) => link.state.name)
  }

  async function call<O extends Op>(node: number, request: NodeCall<O>): Promise<Answer<O>> {
    const timeoutMs = request.timeoutMs ?? limits.request_timeout_ms
    try {
      return await links[node]!.control().request({ ...request, timeoutMs })
    } catch (error) {
      if (error instanceof DfsError && error.code === 'AUTH_FAILED' && request.as.by === 'user') {
        onAuthFailed?.(request.as.identity)
      }
      throw error
    }
  }

  /** Calls each of `nodes` at once and waits for all; never throws for a node's failure. */
  function callEach<O extends Op>(
    nodes: readonly number[],
    request: (node: number) => NodeCall<O>,
  ): Promise<Outcome<Answer<O>>[]> {
    return Promise.all(
      nodes.map(async (node) => {
        try {
          return { node, value: await call(node, request(node)) }
        } catch (error) {
          return { node, error: error as DfsError }
        }
      }),
    )
  }

  /**
   * Tells all four nodes that something was given up; those that are away now, when they are back.
   * Answers for each node whether it has confirmed.
   */
  function tellEach<O extends Op>(request: NodeCall<O>): Promise<boolean[]> {
    return Promise.all(ALL_NODES.map((node) => errands.run(node, request)))
  }

  /** As `tellEach`, for `nodes`; nobody waits. */
  function tellLater<O extends Op>(nodes: readonly number[], request: NodeCall<O>): void {
    for (const node of nodes) void errands.run(node, request)
  }

  /**
   * `why`: a sentence that says what needs all four nodes.
   * @throws DfsError NODES_UNAVAILABLE naming the nodes
   */
  function requireUp(why: string): void {
    const nodes = missing()
    if (nodes.length === 0) return
    const verb = nodes.length === 1 ? 'is' : 'are'
    const message = `${joinNames(nodes)} ${verb} not answering. ${why}`
    throw new DfsError('NODES_UNAVAILABLE', message, { detail: { nodes } })
  }

  /** @throws DfsError NODES_UNAVAILABLE naming the nodes, NO_SPACE where a node is full */
  function requireAll(): void {
    requireUp('Uploads need all four nodes.')
    const full = states().filter((state) => state.isFull === true)
    if (full.length > 0) {
      const fullNames = full.map((state) => state.name)
      const message = `${joinNames(fullNames)} has no room for new files.`
      throw new DfsError('NO_SPACE', message, { detail: { nodes: fullNames } })
    }
  }

  /**
   * `answer` of `node`, which may take long, as long as the node is there meanwhile.
   * @throws DfsError NODE_TIMEOUT where it was not up for limits.stall_timeout_ms on end
   */
  async function whileHeard<T>(node: number, answer: Promise<T>): Promise<T> {
    const { promise: silence, reject } = Promise.withResolvers<never>()
    let cancel = () => {}
    let wasUp = true
    const listen = () => {
      if (links[node]!.isUp === wasUp) return
      wasUp = !wasUp
      cancel()
      if (wasUp) return
      const message = `${nodeName(node)} was silent for ${limits.stall_timeout_ms} ms.`
      const error = new DfsError('NODE_TIMEOUT', message, { node: node + 1 })
      cancel = afterFairly(limits.stall_timeout_ms, () => reject(error))
    }
    const leave = onChange(listen)
    listen()
    try {
      return await Promise.race([answer, silence])
    } finally {
      cancel()
      leave()
    }
  }

  /** Waits until `node` takes commands; answers false where it is not within `limitMs`. */
  async function isBack(node: number, limitMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const listen = () => {
      if (links[node]!.isOpen) resolve()
    }
    const cancel = afterFairly(limitMs, resolve)
    const leave = onChange(listen)
    listen()
    await promise
    cancel()
    leave()
    return links[node]!.isOpen
  }

  return {
    states,
    onChange,
    whileHeard,
    isBack,
    live,
    missing,
    call,
    callEach,
    tellEach,
    tellLater,
    requireUp,
    requireAll,
    stallTimeoutMs: limits.stall_timeout_ms,
    requestTimeoutMs: limits.request_timeout_ms,
    /** When the twin of a node that is slow to send is asked as well. */
    hedge: createHedge({ leastMs: limits.slow_ms }),
    isLive: (node: number) => links[node]!.isUp,
    epochOf: (node: number) => links[node]!.epoch,
    takeBulk: (node: number) => links[node]!.takeBulk(),
    returnBulk: (connection: Awaited<ReturnType<NodeLink['takeBulk']>>) =>
      links[connection.index]!.returnBulk(connection),

    /** Waits until each node has answered or failed once. */
    async ready(timeoutMs: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, timeoutMs)
      await Promise.race([promise, Promise.all(links.map((link) => link.firstTry))])
      clearTimeout(timer)
    },

    async close(): Promise<void> {
      await Promise.all(links.map((link) => link[Symbol.asyncDispose]()))
    },
  }
}

/** `DFS1`, `DFS1 and DFS2`, `DFS1, DFS2 and DFS3`. */
export function joinNames(names: readonly string[], word = 'and'): string {
  if (names.length < 2) return names.join('')
  return `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1)}`
}

/** Nodes 0..3. */
export const ALL_NODES: readonly number[] = Array.from({ length: NODE_COUNT }, (_, node) => node)
