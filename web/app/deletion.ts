// Deleting with a way back: files vanish from the list at once, and from the nodes ten seconds
// later, unless the person undoes it. Leaving the page does not wait.
import { formatCount } from '../format.ts'
import { ApiError } from './api.ts'
import type { App } from './app.svelte.ts'

const GRACE_MS = 10_000
const AT_ONCE = 4

interface Batch {
  names: string[]
  timer: ReturnType<typeof setTimeout>
}

export class Deletion {
  readonly #app: App
  /** What waits for its end of grace. */
  readonly #waiting = new Set<Batch>()

  constructor(app: App) {
    this.#app = app
  }

  /** Deletes the files, which the list hides already, after the grace. */
  begin(names: string[]): void {
    if (names.length === 0) return
    const timer = setTimeout(() => void this.#carryOut(batch), GRACE_MS)
    const batch: Batch = { names, timer }
    this.#waiting.add(batch)
    this.#app.toasts.say(`${formatCount(names.length, 'file')} deleted.`, {
      stayMs: GRACE_MS,
      undo: () => {
        clearTimeout(batch.timer)
        this.#waiting.delete(batch)
        this.#app.library.unhide(names)
        this.#app.toasts.announce(`${formatCount(names.length, 'file')} brought back.`)
      },
    })
  }

  /** The page goes away: what waits is deleted now, by requests that outlive it. */
  flush(): void {
    for (const batch of this.#waiting) {
      clearTimeout(batch.timer)
      for (const name of batch.names) void this.#app.api.remove(name, true).catch(() => {})
    }
    this.#waiting.clear()
  }

  async #carryOut(batch: Batch): Promise<void> {
    this.#waiting.delete(batch)
    const failed: ApiError[] = []
    const left = [...batch.names]
    const work = async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) {
        try {
          await this.#app.api.remove(name)
        } catch (error) {
          if (!(error instanceof ApiError)) throw error
          if (error.code !== 'FILE_NOT_FOUND') failed.push(error)
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    await this.#app.library.refresh()
    this.#app.library.unhide(batch.names)
    if (failed.length === 0) return
    const count = formatCount(failed.length, 'file')
    this.#app.toasts.say(`${count} could not be deleted. ${failed[0]!.message}`, { isBad: true })
  }
}
