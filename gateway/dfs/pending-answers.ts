// The requests of one connection that wait for their answers, by number, and how long each may. One
// timer serves all of them: setting and clearing one for each costs more than all else that is done
// here. Knows no frames.
import { DfsError, nodeName, type Op } from '@fourfold/storage-node/protocol'
import { afterFairly } from './fair-timer.ts'
import { Roster } from './roster.ts'

/** How long a request may wait for the whole of its answer. */
export interface AnswerLimit {
  op: Op
  timeoutMs: number
}

export interface Waiter {
  fail(error: DfsError): void
}

interface Waiting<W> {
  waiter: W
  limit: AnswerLimit | undefined
  /** By `performance.now()`. */
  untilMs: number
}

export class PendingAnswers<W extends Waiter> {
  /** Node 0..3, for what is said of it. */
  readonly #node: number
  readonly #waiting = new Roster<Waiting<W>>()
  #cancel = () => {}
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(node: number) {
    this.#node = node
  }

  get size(): number {
    return this.#waiting.size
  }

  get(id: number): W | undefined {
    return this.#waiting.get(id)?.waiter
  }

  /** Without a limit whoever waits sees to that. */
  add(id: number, waiter: W, limit: AnswerLimit | undefined): void {
    const untilMs = performance.now() + (limit?.timeoutMs ?? Number.POSITIVE_INFINITY)
    this.#waiting.add(id, { waiter, limit, untilMs })
    this.#watch(untilMs)
  }

  delete(id: number): void {
    this.#waiting.delete(id)
  }

  fail(id: number, error: DfsError): void {
    const waiter = this.get(id)
    this.#waiting.delete(id)
    waiter?.fail(error)
  }

  /** Fails all; nothing is added after it. */
  close(error: DfsError): void {
    this.#cancel()
    for (const id of this.#waiting.ids()) this.fail(id, error)
  }

  /** The timer is set anew only where it would come too late. */
  #watch(untilMs: number): void {
    if (untilMs >= this.#timerAtMs) return
    this.#cancel()
    this.#timerAtMs = untilMs
    const delayMs = Math.max(1, Math.ceil(untilMs - performance.now()))
    this.#cancel = afterFairly(delayMs, () => this.#endLate())
  }

  #endLate(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY
    const nowMs = performance.now()
    for (const id of this.#waiting.ids()) {
      const waiting = this.#waiting.get(id)
      // The failure of one may have ended others.
      if (waiting === undefined) continue
      const { limit, untilMs } = waiting
      if (limit === undefined || untilMs > nowMs) {
        this.#watch(untilMs)
        continue
      }
      const { op, timeoutMs } = limit
      const message = `${nodeName(this.#node)} did not answer ${op} within ${timeoutMs} ms.`
      this.fail(id, new DfsError('NODE_TIMEOUT', message, { node: this.#node + 1 }))
    }
  }
}
