// How fast bytes go, smoothed so that a person can read it. Pure arithmetic on times handed in.

/** Time constant of the low-pass. */
const SMOOTH_MS = 2500
/** Nothing is said before: the first figures are of full buffers, not of the network. */
const SILENT_MS = 2000

export class Speed {
  #startedMs: number | undefined
  #lastMs = 0
  #lastBytes = 0
  #perSecond = 0

  /** Takes the bytes so far; answers bytes per second once enough is known. */
  add(bytes: number, nowMs: number): number | undefined {
    if (this.#startedMs === undefined) {
      this.#startedMs = nowMs
      this.#lastMs = nowMs
      this.#lastBytes = bytes
      return undefined
    }
    const passedMs = nowMs - this.#lastMs
    if (passedMs <= 0) return this.#known(nowMs)
    const current = (Math.max(0, bytes - this.#lastBytes) * 1000) / passedMs
    const isFirst = this.#lastMs === this.#startedMs
    const weight = isFirst ? 1 : 1 - Math.exp(-passedMs / SMOOTH_MS)
    this.#perSecond += (current - this.#perSecond) * weight
    this.#lastMs = nowMs
    this.#lastBytes = bytes
    return this.#known(nowMs)
  }

  reset(): void {
    this.#startedMs = undefined
    this.#perSecond = 0
  }

  #known(nowMs: number): number | undefined {
    return nowMs - (this.#startedMs ?? nowMs) < SILENT_MS ? undefined : this.#perSecond
  }
}
