// The four nodes and the line to the gateway, as the gateway's own events tell of them. Reconnects
// by itself and says when it tries again; knows nothing of what is shown.
import type { PageNode } from '../page.ts'
import { ALL_COPIES, copiesOnNodes } from '../ring.ts'
import { type Api, ApiError, type NodeJson } from './api.ts'

const FIRST_PAUSE_S = 1
const MAX_PAUSE_S = 30
const SECOND_MS = 1000

export interface ClusterListeners {
  /** Nodes came or went. */
  onNodesChange(before: readonly NodeJson[], now: readonly NodeJson[]): void
  /** Files came, went or changed. */
  onFilesChange(): void
  onSignedOut(): void
}

export class Cluster {
  nodes = $state.raw<readonly NodeJson[]>([])
  /** False once the gateway did not answer a second time. */
  isReachable = $state(true)
  /** Seconds until the next attempt; 0 while one is under way. */
  retryInS = $state(0)
  pageNodes: readonly PageNode[] = $derived(
    this.nodes.map(({ name, health }) => ({ name, isUp: health === 'up' })),
  )
  isWhole = $derived(this.nodes.length > 0 && this.nodes.every(({ health }) => health === 'up'))
  /** Copies that live nodes can have; all while nothing is known. */
  mask = $derived(
    this.nodes.length === 0 ? ALL_COPIES : copiesOnNodes(this.pageNodes.map(({ isUp }) => isUp)),
  )

  /** Copies that are being brought back, over all nodes; undefined while none are. */
  repair = $derived.by(() => {
    const running = this.nodes.flatMap(({ repair }) =>
      repair?.state === 'running' && repair.total > repair.done ? [repair] : [],
    )
    if (running.length === 0) return undefined
    const sum = (key: 'done' | 'total') => running.reduce((all, one) => all + one[key], 0)
    return `Repairing, ${sum('done').toLocaleString('en')} of ${sum('total').toLocaleString('en')}`
  })

  readonly #api: Api
  readonly #listeners: ClusterListeners
  #wake = () => {}

  constructor(api: Api, listeners: ClusterListeners) {
    this.#api = api
    this.#listeners = listeners
  }

  /** Not twice without `close` between. */
  start(): void {
    void this.#run(this.#api.beginVisit())
  }

  close(): void {
    this.#api.endVisit()
    this.#wake()
  }

  /** Ends the pause before the next attempt. */
  tryNow(): void {
    this.#wake()
  }

  async #run(signal: AbortSignal): Promise<void> {
    let pauseS = FIRST_PAUSE_S
    while (!signal.aborted) {
      try {
        await this.#api.follow((event, data) => {
          pauseS = FIRST_PAUSE_S
          this.isReachable = true
          this.#take(event, data)
        })
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return this.#listeners.onSignedOut()
        // Who gave up has not lost the gateway.
        this.isReachable = signal.aborted
      }
      if (signal.aborted) return
      await this.#pause(pauseS)
      pauseS = Math.min(pauseS * 2, MAX_PAUSE_S)
    }
  }

  async #pause(seconds: number): Promise<void> {
    for (this.retryInS = seconds; this.retryInS > 0; this.retryInS -= 1) {
      const isWoken = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), SECOND_MS)
        this.#wake = () => {
          clearTimeout(timer)
          resolve(true)
        }
      })
      if (isWoken) break
    }
    this.retryInS = 0
  }

  #take(event: string, data: string): void {
    if (event === 'files') this.#listeners.onFilesChange()
    if (event !== 'cluster') return
    const before = this.nodes
    const { nodes } = JSON.parse(data) as { nodes: NodeJson[] }
    // Events may leave the disk figures out; what was known of them stays until asked again.
    this.nodes = nodes.map((node, index) => {
      const { freeBytes, storedBytes, reserveBytes } = before[index] ?? {}
      return { freeBytes, storedBytes, reserveBytes, ...node }
    })
    const healths = (list: readonly NodeJson[]) => list.map(({ health }) => health).join()
    if (healths(before) === healths(nodes)) return
    this.#listeners.onNodesChange(before, nodes)
    void this.refreshDisks()
  }

  /** Asks how full the nodes are; without an answer nothing is said of it. */
  async refreshDisks(): Promise<void> {
    this.nodes = await this.#api.nodes().catch(() => this.nodes)
  }
}
