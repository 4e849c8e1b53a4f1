// The uploads of this page: a queue that sends three files at a time, waits while nodes or the
// gateway are away, and goes on by itself. What one upload does is task.svelte.ts's.
import { formatCount } from '../../format.ts'
import type { App } from '../app.svelte.ts'
import { roomBytes } from '../cluster.svelte.ts'
import type { Incoming } from '../incoming.ts'
import { type Answer, type Conflict, freeName } from './conflict.ts'
import { forgetAll, keptUploads } from './kept.ts'
import { Speed } from './speed.ts'
import { Task } from './task.svelte.ts'

const AT_ONCE = 3
const SAMPLE_MS = 250

export class Uploads {
  tasks = $state<Task[]>([])
  /** The name that is there already and waits for an answer. */
  conflict = $state.raw<Conflict | undefined>()
  /** Bytes per second; undefined while too little is known. */
  speed = $state<number | undefined>()
  readonly app: App
  #canSend = $derived.by(() => this.app.cluster.isWhole && this.app.cluster.isReachable)
  /** Those that count: a failed upload's bytes leave the total. */
  #counted = $derived(this.tasks.filter(({ phase }) => phase !== 'failed' && phase !== 'stopped'))
  totalBytes = $derived(this.#counted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
  sentBytes = $derived(this.#counted.reduce((sum, { sentBytes }) => sum + sentBytes, 0))
  doneCount = $derived(this.tasks.filter(({ phase }) => phase === 'done').length)
  isActive = $derived(this.tasks.some((task) => task.isUnfinished))
  isMoving = $derived(this.tasks.some(({ phase }) => phase === 'sending' || phase === 'committing'))
  isPaused = $derived(
    this.isActive && this.tasks.every((t) => !t.isUnfinished || t.phase === 'paused'),
  )
  /** Nothing moves until nodes or the gateway are back. */
  isWaiting = $derived(this.isActive && !this.isMoving && !this.isPaused && !this.#canSend)
  percent = $derived(
    this.isActive ? Math.floor((100 * this.sentBytes) / Math.max(1, this.totalBytes)) : undefined,
  )
  readonly #meter = new Speed()
  #spokenPercent = 0

  constructor(app: App) {
    this.app = app
    for (const kept of keptUploads(app.user ?? '')) this.tasks.push(Task.fromKept(this, kept))
    $effect.root(() => {
      $effect(() => {
        if (this.#canSend) this.wake()
        else this.#hold()
      })
      $effect(() => {
        if (!this.isActive) return
        const timer = setInterval(() => this.#sample(), SAMPLE_MS)
        const warn = (event: BeforeUnloadEvent) => event.preventDefault()
        addEventListener('beforeunload', warn)
        return () => {
          clearInterval(timer)
          removeEventListener('beforeunload', warn)
          this.speed = undefined
          this.#meter.reset()
        }
      })
    })
  }

  /** Asks about names that are there already, then queues what is left. */
  async add(incoming: Incoming[]): Promise<void> {
    const fresh = incoming.filter((one) => !this.#resumeKept(one))
    const taken = new Set(this.app.library.files.map(({ name }) => name))
    for (const task of this.tasks) if (task.isUnfinished) taken.add(task.name)
    let always: Answer | undefined
    const clashes = fresh.filter(({ name }) => taken.has(name)).length
    let asked = 0
    const added: Task[] = []
    for (const { file, name } of fresh) {
      let answer: Answer = 'replace'
      if (taken.has(name)) {
        asked += 1
        answer =
          always ?? (await this.#ask({ file, name }, clashes - asked, (all) => (always = all)))
      }
      if (answer === 'skip') continue
      const finalName = answer === 'keep' ? freeName(name, taken) : name
      taken.add(finalName)
      added.push(new Task(this, { file, name: finalName }))
    }
    if (added.length === 0) return
    if (!this.isActive) this.#spokenPercent = 0
    this.tasks.push(...added)
    this.app.toasts.announce(`Uploading ${formatCount(added.length, 'file')}.`)
    this.pump()
  }

  #ask(one: Incoming, others: number, remember: (answer: Answer) => void): Promise<Answer> {
    const existing = this.app.library.find(one.name)
    return new Promise((resolve) => {
      this.conflict = {
        ...one,
        others,
        existing: existing && { sizeBytes: existing.sizeBytes, modifiedMs: existing.modifiedMs },
        answer: (answer, isForAll) => {
          this.conflict = undefined
          if (isForAll) remember(answer)
          resolve(answer)
        },
      }
    })
  }

  /** The same file again, after a reload: it goes on where it stopped. */
  #resumeKept({ file, name }: Incoming): boolean {
    const task = this.tasks.find((one) => one.phase === 'stopped' && one.name === name)
    return task?.resumeWith(file) === undefined && task !== undefined
  }

  /** Starts what may start. */
  pump(): void {
    if (!this.#canSend) return
    const active = this.tasks.filter(({ isBusy }) => isBusy).length
    const next = this.tasks.filter(({ phase }) => phase === 'next').slice(0, AT_ONCE - active)
    const room = roomBytes(this.app.cluster.nodes)
    for (const task of next) void task.start(room)
  }

  /** Nodes and gateway are there: what waited goes on. */
  wake(): void {
    for (const task of this.tasks) if (task.phase === 'waiting') task.phase = 'next'
    this.pump()
  }

  #hold(): void {
    for (const task of this.tasks) if (task.isBusy) task.hold()
  }

  pauseAll(): void {
    for (const task of this.tasks) if (task.isUnfinished) task.pause()
  }

  resumeAll(): void {
    for (const task of this.tasks) if (task.phase === 'paused') task.phase = 'next'
    this.pump()
  }

  cancel(task: Task): void {
    this.tasks = this.tasks.filter((one) => one !== task)
    task.cancel()
    this.pump()
  }

  cancelAll(): void {
    for (const task of this.tasks) task.cancel()
    this.tasks = []
    forgetAll()
  }

  /** One came to its end, good or bad. */
  ended(task: Task): void {
    if (task.phase === 'done') void this.app.library.refresh()
    this.pump()
    if (this.isActive) return
    const failed = this.tasks.filter(({ phase }) => phase === 'failed').length
    const done = `${formatCount(this.doneCount, 'file')} uploaded`
    this.app.toasts.announce(failed === 0 ? `${done}.` : `${done}, ${failed} failed.`)
    void this.app.cluster.refreshDisks()
  }

  /** Four times a second, outside of the streams' own pace. */
  #sample(): void {
    for (const task of this.tasks) task.sample()
    this.speed = this.isMoving ? this.#meter.add(this.sentBytes, performance.now()) : undefined
    if (!this.isMoving) this.#meter.reset()
    const quarter = Math.floor((this.percent ?? 0) / 25) * 25
    if (quarter <= this.#spokenPercent || quarter >= 100) return
    this.#spokenPercent = quarter
    this.app.toasts.announce(`${quarter}% uploaded.`)
  }
}
