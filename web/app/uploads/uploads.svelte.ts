// The uploads of this page: a queue that sends three files at a time, waits while nodes or the
// gateway are away, and goes on by itself. What one upload does is task.svelte.ts's.
import { formatCount } from '../../format.ts'
import type { App } from '../app.svelte.ts'
import type { Incoming } from '../incoming.ts'
import { roomBytes } from '../room.ts'
import { type Answer, type Clash, freeName } from './conflict.ts'
import { forgetAll, keptUploads } from './kept.ts'
import { Speed } from './speed.ts'
import { Task } from './task.svelte.ts'

const AT_ONCE = 3
const SAMPLE_MS = 250

export class Uploads {
  tasks = $state<Task[]>([])
  /** Names that are there already and wait for an answer, in the order in which they are asked. */
  #clashes = $state.raw<readonly Clash[]>([])
  /** The one that is asked, and how many come after it. */
  clash = $derived(this.#clashes[0])
  otherClashes = $derived(this.#clashes.length - 1)
  /** Bytes per second; undefined while too little is known. */
  speed = $state<number | undefined>()
  readonly app: App
  /** Whose they are: they are nothing for who signs in next. */
  #owner: string
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
    this.#owner = app.user ?? ''
    this.#recall()
    $effect.root(() => {
      $effect(() => {
        if (this.#canSend) this.wake()
        else this.#hold()
      })
      $effect(() => {
        if (!this.isActive) return
        const timer = setInterval(() => this.#sample(), SAMPLE_MS)
        const warn = (event: BeforeUnloadEvent) => {
          if (!app.isSaving) event.preventDefault()
        }
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

  /** Somebody signed in: the same person goes on, another one finds their own. */
  belongTo(user: string): void {
    if (user === this.#owner) return
    this.#owner = user
    this.answer('skip', true)
    this.tasks = []
    this.#recall()
  }

  #recall(): void {
    for (const kept of keptUploads(this.#owner)) this.tasks.push(Task.fromKept(this, kept))
  }

  /** Asks about names that are there already, then queues what is left. */
  async add(incoming: Incoming[]): Promise<void> {
    const { library } = this.app
    const fresh = incoming.filter((one) => !this.#resumeKept(one))
    // Who is quicker than the first listing is asked all the same.
    if (!library.isLoaded) await library.refresh()
    const taken = this.#takenNames()
    const asked = fresh.map((one) => {
      const answer = taken.has(one.name) ? this.#ask(one) : undefined
      taken.add(one.name)
      return answer
    })
    const answers = await Promise.all(asked)
    const added: Task[] = []
    for (const [index, one] of fresh.entries()) {
      const task = this.#taskFor(one, answers[index], taken)
      if (task !== undefined) added.push(task)
    }
    if (added.length === 0) return
    if (!this.isActive) this.#spokenPercent = 0
    this.tasks.push(...added)
    this.app.toasts.announce(`Uploading ${formatCount(added.length, 'file')}.`)
    this.pump()
  }

  /** The gateway has a file of this name that the list did not show when `task` began. */
  async clashed(task: Task, incoming: Incoming): Promise<void> {
    await this.app.library.refresh()
    const answer = await this.#ask(incoming)
    const index = this.tasks.indexOf(task)
    if (index < 0) return
    const other = this.#taskFor(incoming, answer, this.#takenNames())
    this.tasks.splice(index, 1, ...(other === undefined ? [] : [other]))
    this.pump()
  }

  #takenNames(): Set<string> {
    const unfinished = this.tasks.filter(({ isUnfinished }) => isUnfinished)
    return new Set([...this.app.library.files, ...unfinished].map(({ name }) => name))
  }

  /** @param answer undefined where the name was free */
  #taskFor(one: Incoming, answer: Answer | undefined, taken: Set<string>): Task | undefined {
    if (answer === 'skip') return undefined
    const name = answer === 'keep' ? freeName(one.name, taken) : one.name
    taken.add(name)
    return new Task(this, { file: one.file, name }, answer === 'replace')
  }

  #ask(one: Incoming): Promise<Answer> {
    const here = this.app.library.find(one.name)
    const existing = here && { sizeBytes: here.sizeBytes, modifiedMs: here.modifiedMs }
    return new Promise((resolve) => {
      this.#clashes = [...this.#clashes, { ...one, existing, resolve }]
    })
  }

  /** What "Keep both" would call it. */
  nameBeside({ name }: Clash): string {
    return freeName(name, this.#takenNames())
  }

  /** What shall be done about the name that is asked, or about all that are to be asked. */
  answer(answer: Answer, isForAll: boolean): void {
    const answered = isForAll ? this.#clashes : this.#clashes.slice(0, 1)
    this.#clashes = this.#clashes.slice(answered.length)
    for (const { resolve } of answered) resolve(answer)
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
    this.answer('skip', true)
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
