// What has just happened, for a few seconds, with a way to undo it. One list for the eye; what is
// said aloud goes through `announce`.
const STAY_MS = 6000
const MAX_TOASTS = 4

export interface Toast {
  id: number
  text: string
  isBad: boolean
  undo?: () => void
}

export class Toasts {
  list = $state<Toast[]>([])
  /** The newest sentence for screen readers. */
  spoken = $state('')
  #nextId = 1

  say(text: string, options: { isBad?: boolean; undo?: () => void; stayMs?: number } = {}): number {
    const { isBad = false, undo, stayMs = STAY_MS } = options
    const id = this.#nextId++
    const toast = { id, text, isBad, ...(undo === undefined ? {} : { undo }) }
    this.list = [...this.list, toast].slice(-MAX_TOASTS)
    setTimeout(() => this.close(id), stayMs)
    return id
  }

  close(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id)
  }

  announce(text: string): void {
    this.spoken = text
  }
}
