// What nodes that could not be reached are to be told once they are back: that an upload was given
// up, for example. Lives in memory: what is lost with the process the nodes collect on their own.
import type { DfsError, Op } from '@fourfold/storage-node/protocol'
import type { NodeCall } from './cluster.ts'

/** Kept for each node; the oldest give way. */
const MAX_ERRANDS = 4096
/** A node that is up and did not answer is asked again after this. */
const RETRY_MS = 1000

export interface ErrandOptions {
  nodeCount: number
  call(node: number, request: NodeCall<Op>): Promise<unknown>
  isLive(node: number): boolean
}

/** Errands to `nodeCount` nodes; none of its calls throws. */
export function createErrands({ nodeCount, call, isLive }: ErrandOptions) {
  const waiting: NodeCall<Op>[][] = Array.from({ length: nodeCount }, () => [])
  const running = new Set<number>()

  /** Tells the node now or, where it is away, later. Answers whether it confirmed. */
  async function run(node: number, request: NodeCall<Op>): Promise<boolean> {
    try {
      await call(node, request)
      return true
    } catch (error) {
      const { code } = error as DfsError
      if (code !== 'NODE_GONE' && code !== 'NODE_TIMEOUT') return false
      const queue = waiting[node]!
      queue.push(request)
      if (queue.length > MAX_ERRANDS) queue.shift()
      if (isLive(node)) setTimeout(() => void runWaiting(node), RETRY_MS).unref()
      return false
    }
  }

  async function runWaiting(node: number): Promise<void> {
    if (running.has(node)) return
    running.add(node)
    try {
      const due = waiting[node]!.splice(0)
      for (const request of due) await run(node, request)
    } finally {
      running.delete(node)
    }
  }

  return {
    run,
    /** To be called when a node has come or gone. */
    onChange(): void {
      for (const [node, queue] of waiting.entries()) {
        if (queue.length > 0 && isLive(node)) void runWaiting(node)
      }
    },
  }
}
