// All files of the user, kept in step with the gateway: loaded page by page, in order of names.
// What is about to be deleted is hidden at once. Knows nothing of views.
import { type Api, ApiError } from './api.ts'
import { type LibraryFile, libraryFile } from './files.ts'
import { sortByName } from './order.ts'

/** Changes come in bursts; one listing answers a burst. */
const GATHER_MS = 150

export class Library {
  /** In order of names, without what is hidden. */
  files: readonly LibraryFile[] = $derived.by(() => {
    const hidden = this.#hidden
    return hidden.size === 0 ? this.#all : this.#all.filter(({ name }) => !hidden.has(name))
  })
  /** False until the first listing is here. */
  isLoaded = $state(false)
  /** Files that the gateway says there are, while they are still coming; else undefined. */
  expectedCount = $state<number | undefined>()
  /** Settles when the first files are here. */
  readonly begun: Promise<void>
  #begin = () => {}
  #all = $state.raw<readonly LibraryFile[]>([])
  #hidden = $state.raw<ReadonlySet<string>>(new Set())
  readonly #api: Api
  readonly #onSignedOut: () => void
  #loading: Promise<void> | undefined
  #isStale = false
  /** Names the state of all files that is held; undefined where none is, or not wholly. */
  #change: string | undefined

  constructor(api: Api, onSignedOut: () => void) {
    this.#api = api
    this.#onSignedOut = onSignedOut
    this.begun = new Promise((resolve) => {
      this.#begin = resolve
    })
  }

  /**
   * Asks what changed, or with `isWhole` lists all anew, since copies come and go with nodes while
   * files stay the same. Calls during a load make one more after it.
   */
  refresh(isWhole = false): Promise<void> {
    this.#isStale = true
    if (isWhole) this.#change = undefined
    this.#loading ??= this.#loadUntilFresh().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  find(name: string): LibraryFile | undefined {
    return this.#all.find((file) => file.name === name)
  }

  hide(names: Iterable<string>): void {
    this.#hidden = new Set([...this.#hidden, ...names])
  }

  unhide(names: Iterable<string>): void {
    this.#hidden = this.#hidden.difference(new Set(names))
  }

  /** Forgets all; what is being read must have been given up. */
  clear(): void {
    this.#all = []
    this.#hidden = new Set()
    this.isLoaded = false
    this.#change = undefined
  }

  async #loadUntilFresh(): Promise<void> {
    while (this.#isStale) {
      if (this.isLoaded) await new Promise((resolve) => setTimeout(resolve, GATHER_MS))
      this.#isStale = false
      try {
        if (this.#change === undefined || !(await this.#update(this.#change))) await this.#load()
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        if (error.status === 401) return this.#onSignedOut()
        // Too few nodes, or no gateway: what was known stays, and the banner says why.
        this.expectedCount = undefined
        return
      }
    }
  }

  /** Takes over what is different; false where all must be listed. */
  async #update(since: string): Promise<boolean> {
    const { files, gone, change, reset } = await this.#api.changes(since)
    if (reset) return false
    this.#change = change
    if (files.length === 0 && gone.length === 0) return true
    const out = new Set([...gone, ...files.map(({ name }) => name)])
    const stays = this.#all.filter(({ name }) => !out.has(name))
    this.#all = sortByName([...stays, ...files.map(libraryFile)])
    return true
  }

  async #load(): Promise<void> {
    const files: LibraryFile[] = []
    let cursor: string | undefined
    let change: string | undefined
    do {
      const listing = await this.#api.list(cursor)
      for (const file of listing.files) files.push(libraryFile(file))
      // Of the first page: what changes while the others come is told afterwards.
      change ??= listing.change
      cursor = listing.next
      // The first listing shows what it has: a hundred thousand names take a while.
      if (cursor === undefined || this.isLoaded) continue
      this.expectedCount = listing.total.files
      this.#show([...files])
    } while (cursor !== undefined)
    this.expectedCount = undefined
    this.#show(files)
    this.#change = change
  }

  #show(files: LibraryFile[]): void {
    this.#all = sortByName(files)
    this.isLoaded = true
    this.#begin()
  }
}
