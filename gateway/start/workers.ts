// Several gateway processes behind one port: the first one starts the others, hands them the
// connections (node:cluster), starts those anew that die, and stops all. Sessions need nothing, for
// they are in cookies; limits are shared out; whose turn it is to try a password is decided here,
// for all of them. Knows no HTTP and no files.
import cluster, { type Worker } from 'node:cluster'
import type { DfcConf } from '@fourfold/conf'
import { DfsError } from '@fourfold/storage-node/protocol'
import { createTurns, type TryOutcome, type Turns } from '../dfs/throttle.ts'

const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 10_000
/** A worker that served this long starts the back-off anew. */
const STEADY_MS = 60_000

/** What goes between a worker and the first process. */
type Message =
  | { kind: 'ready'; address: string }
  | { kind: 'begin'; id: number; key: string }
  | { kind: 'begun'; id: number; isGranted: boolean }
  | { kind: 'end'; id: number; outcome: TryOutcome }
  | { kind: 'stop' }

/** Processes to serve with, on a machine of `cores`. */
export function workerCount({ gateway }: DfcConf, cores: number): number {
  if (gateway.workers > 0) return gateway.workers
  return gateway.metrics ? 1 : Math.min(2, cores)
}

/** The same where the four nodes share the cores: of two, a second process would take theirs. */
export function workerCountBesideNodes(conf: DfcConf, cores: number): number {
  return cores > 2 ? workerCount(conf, cores) : conf.gateway.workers || 1
}

/** The conf of one of `count` workers: what all may take at once is shared out. */
export function shareOf(conf: DfcConf, count: number): DfcConf {
  const { limits } = conf
  const part = (value: number) => Math.ceil(value / count)
  return {
    ...conf,
    limits: {
      ...limits,
      transfers: part(limits.transfers),
      user_transfers: part(limits.user_transfers),
      memory_mib: part(limits.memory_mib),
      rows: part(limits.rows),
      waiting: part(limits.waiting),
      bulk_connections: part(limits.bulk_connections),
      derivations: part(limits.derivations),
      derivations_waiting: part(limits.derivations_waiting),
      listed_files: part(limits.listed_files),
    },
  }
}

export interface Workers {
  /**
   * Starts all; answers the address once one of them listens, or the exit code of the first, which
   * has said why it could not.
   */
  start(): Promise<string | number>
  /** Each serves what it has under way; resolves when all have ended. */
  stop(): Promise<void>
}

/** @param options.report takes a line about a worker that died, or that all are there */
export function createWorkers(options: { count: number; report: (line: string) => void }): Workers {
  const { count, report } = options
  const turns = createTurns()
  const alive = new Set<Worker>()
  const ready = new Set<Worker>()
  const first = Promise.withResolvers<string | number>()
  const ended = Promise.withResolvers<void>()
  let address: string | undefined
  let isStopping = false
  let delayMs = FIRST_DELAY_MS

  function fork(): void {
    // All ask for the same port, also for one that the system chooses, and share what the first
    // got.
    const worker = cluster.fork()
    const startedMs = performance.now()
    alive.add(worker)
    const serveTurns = turnsFor(worker, turns)
    worker.on('message', (message: Message) => {
      if (message.kind === 'ready') onReady(worker, message.address)
      else serveTurns.take(message)
    })
    worker.once('exit', (code, signal) => {
      alive.delete(worker)
      ready.delete(worker)
      serveTurns.close()
      if (isStopping) {
        if (alive.size === 0) ended.resolve()
      } else if (address === undefined) {
        first.resolve(code ?? 1)
      } else {
        if (performance.now() - startedMs > STEADY_MS) delayMs = FIRST_DELAY_MS
        const how = signal === null ? `with exit code ${code}` : `by ${signal}`
        report(`fourfold: a worker ended ${how}; another starts in ${delayMs / 1000} s\n`)
        setTimeout(() => !isStopping && fork(), delayMs)
        delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)
      }
    })
  }

  /** The others start when one has shown that it can: what is wrong is said once. */
  function onReady(worker: Worker, theirs: string): void {
    ready.add(worker)
    if (ready.size === count) report(`fourfold: ${count} workers serve\n`)
    if (address !== undefined) return
    address = theirs
    first.resolve(theirs)
    for (let more = 1; more < count && !isStopping; more++) fork()
  }

  return {
    async start() {
      fork()
      return first.promise
    },
    async stop() {
      isStopping = true
      for (const worker of alive) tell(worker, { kind: 'stop' })
      if (alive.size > 0) await ended.promise
    },
  }
}

/** A worker that is gone needs to hear nothing. */
function tell(worker: Worker, message: Message): void {
  worker.send(message, () => {})
}

/** Serves one worker's turns; those that it holds end with it. */
function turnsFor(worker: Worker, turns: Turns) {
  const held = new Map<number, (outcome: TryOutcome) => void>()
  let isClosed = false

  async function begin(id: number, key: string): Promise<void> {
    let isGranted = true
    try {
      const end = await turns.begin(key)
      if (isClosed) end('open')
      else held.set(id, end)
    } catch {
      isGranted = false
    }
    tell(worker, { kind: 'begun', id, isGranted })
  }

  return {
    take(message: Message): void {
      if (message.kind === 'begin') void begin(message.id, message.key)
      if (message.kind !== 'end') return
      held.get(message.id)?.(message.outcome)
      held.delete(message.id)
    },
    close(): void {
      isClosed = true
      for (const end of held.values()) end('open')
      held.clear()
    },
  }
}

/** The worker's side. */
export interface Post {
  /** Turns that the first process gives, to all workers together. */
  turns: Turns
  ready(address: string): void
  onStop(stop: () => void): void
}

export function joinPrimary(): Post {
  const waiting = new Map<number, (isGranted: boolean) => void>()
  let nextId = 1
  const stopped = Promise.withResolvers<void>()
  // Without the first process this one ends: what it would have heard does not matter.
  const post = (message: Message) => process.send!(message, undefined, undefined, () => {})
  process.on('message', (message: Message) => {
    if (message.kind === 'stop') stopped.resolve()
    if (message.kind !== 'begun') return
    waiting.get(message.id)?.(message.isGranted)
    waiting.delete(message.id)
  })
  return {
    turns: {
      async begin(key) {
        const id = nextId++
        const { promise, resolve } = Promise.withResolvers<boolean>()
        waiting.set(id, resolve)
        post({ kind: 'begin', id, key })
        if (await promise) return (outcome) => void post({ kind: 'end', id, outcome })
        throw new DfsError('AUTH_THROTTLED', 'Too many tries to sign in are waiting already.')
      },
    },
    ready: (address) => void post({ kind: 'ready', address }),
    onStop: (run) => void stopped.promise.then(run),
  }
}
