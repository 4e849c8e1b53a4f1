// The page as one object: who is signed in, what there is, what is looked at, and what a person can
// do. Parts that not everybody needs (uploads, dialogs) are loaded when they are first wanted.
import { createContext } from 'svelte'
import type { PageFile } from '../page.ts'
import { filePath } from '../paths.ts'
import { whyUnreadable } from '../words.ts'
import { type Api, createApi, type NodeJson } from './api.ts'
import { Cluster } from './cluster.svelte.ts'
import type { Deletion } from './deletion.ts'
import { healthOf, type Item, isFolder, keyOf, type LibraryFile, pageFile } from './files.ts'
import type { Incoming } from './incoming.ts'
import { Library } from './library.svelte.ts'
import { filesOf } from './order.ts'
import { Selection } from './selection.svelte.ts'
import { ThemeSwitch } from './theme.svelte.ts'
import { Toasts } from './toasts.svelte.ts'
import type { Uploads } from './uploads/uploads.svelte.ts'
import { View } from './view.svelte.ts'

export interface MenuItem {
  label: string
  act: () => void
  isDanger?: boolean
}

/** Made when the menu opens. */
export type MenuItems = () => Promise<MenuItem[]>

export interface OpenMenu {
  button: HTMLElement
  label: string
  items: MenuItems
}

/** One dialog at a time. */
export type OpenDialog =
  | { kind: 'preview' | 'details'; name: string }
  | { kind: 'rename'; key: string }
  | { kind: 'move'; keys: string[] }
  | { kind: 'shortcuts' | 'password' }

const MINUTE_MS = 60_000

export class App {
  user = $state<string | undefined>()
  menu = $state.raw<OpenMenu | undefined>()
  dialog = $state.raw<OpenDialog | undefined>()
  uploads = $state.raw<Uploads | undefined>()
  /** The browser is about to save what a form asks for: the page is not left. */
  isSaving = false
  /** For "2 min ago": moves on once a minute. */
  nowMs = $state(Date.now())
  /** Of the browser's tab. */
  title = $derived.by(() => {
    if (this.user === undefined) return 'Sign in – Fourfold'
    const percent = this.uploads?.percent
    if (percent !== undefined) return `${percent}% Fourfold`
    if (this.view.screen === 'cluster') return 'Cluster – Fourfold'
    return `${this.view.folder.split('/').at(-2) ?? 'All files'} – Fourfold`
  })
  readonly api: Api
  readonly cluster: Cluster
  readonly library: Library
  readonly view: View
  readonly selection: Selection
  readonly toasts = new Toasts()
  readonly theme: ThemeSwitch
  #deletion: Deletion | undefined
  #uploadsLoading: Promise<Uploads> | undefined

  /** @param base path of the site; '' at the root */
  constructor(base: string) {
    this.api = createApi(base)
    const onSignedOut = () => this.signedOut()
    this.library = new Library(this.api, onSignedOut)
    this.cluster = new Cluster(this.api, {
      onNodesChange: (before, now) => this.#tellNodes(before, now),
      onFilesChange: () => void this.library.refresh(),
      onSignedOut,
    })
    this.view = new View(base, this.library, this.cluster)
    this.selection = new Selection(() => this.view.items)
    this.theme = new ThemeSwitch(base)
    setInterval(() => {
      this.nowMs = Date.now()
    }, MINUTE_MS)
  }

  /** Settles once the first files are listed, or cannot be. */
  signedIn(user: string): Promise<void> {
    this.user = user
    this.uploads?.belongTo(user)
    this.cluster.start()
    if (sessionStorage.getItem('fourfold-uploads') !== null) void this.loadUploads()
    return Promise.race([this.library.refresh(), this.library.begun])
  }

  /** The cookie is gone or no longer good: what was shown is not for whoever comes next. */
  signedOut(): void {
    this.user = undefined
    this.dialog = undefined
    this.cluster.close()
    this.library.clear()
    this.selection.clear()
    this.uploads?.pauseAll()
  }

  async signOut(): Promise<void> {
    this.uploads?.cancelAll()
    this.flush()
    this.cluster.close()
    await this.api.signOut().catch(() => {})
    this.signedOut()
  }

  /** Copies of a file on nodes that answer now. */
  copiesOf(file: LibraryFile): number {
    return file.copies & this.cluster.mask
  }

  /** What the words need of a file, as live nodes have it. */
  pageFile(file: LibraryFile): PageFile {
    return pageFile(file, this.copiesOf(file), this.cluster.pageNodes)
  }

  /** Why a file cannot be opened now; undefined for one that can. */
  whyShut(file: LibraryFile): string | undefined {
    return whyUnreadable(this.pageFile(file), this.cluster.pageNodes)
  }

  canOpen(item: Item): boolean {
    return isFolder(item) || healthOf(this.copiesOf(item)) !== 'lost'
  }

  open(item: Item): void {
    this.selection.pick(keyOf(item))
    if (isFolder(item)) this.view.open(item.prefix)
    else if (this.canOpen(item)) this.dialog = { kind: 'preview', name: item.name }
    else this.toasts.say(this.whyShut(item) ?? '', { isBad: true })
  }

  /** What the keyboard acts on: the chosen rows, or the cursor's where none is chosen. */
  targets(): string[] {
    const { chosen, item } = this.selection
    if (chosen.size > 0) return [...chosen]
    return item === undefined ? [] : [keyOf(item)]
  }

  filesOf(keys: Iterable<string>): LibraryFile[] {
    return filesOf(this.library.files, new Set(keys))
  }

  addressOf(name: string): string {
    return filePath(this.api.base, name)
  }

  download(keys: readonly string[]): void {
    void import('./download.ts').then(({ download }) => download(this, keys))
  }

  remove(keys: readonly string[]): void {
    const names = this.filesOf(keys).map(({ name }) => name)
    this.selection.leave(keys)
    this.library.hide(names)
    void this.#beginDeletion(names)
  }

  async #beginDeletion(names: string[]): Promise<void> {
    const { Deletion } = await import('./deletion.ts')
    this.#deletion ??= new Deletion(this)
    this.#deletion.begin(names)
  }

  /** The page goes away: what waits to be deleted does not wait longer. */
  flush(): void {
    this.#deletion?.flush()
  }

  /** Renames one, moves several. */
  askName(keys: readonly string[]): void {
    const [key] = keys
    if (key === undefined) return
    this.dialog = keys.length === 1 ? { kind: 'rename', key } : { kind: 'move', keys: [...keys] }
  }

  /** Opens the browser's chooser, by a field of UploadFields.svelte. */
  choose(what: 'files' | 'folder'): void {
    document.querySelector<HTMLInputElement>(`#choose-${what}`)?.click()
  }

  /** `files` go into the folder that is shown. */
  async upload(incoming: Incoming[]): Promise<void> {
    if (incoming.length === 0) return
    const { folder } = this.view
    const uploads = await this.loadUploads()
    await uploads.add(incoming.map(({ file, name }) => ({ file, name: folder + name })))
  }

  loadUploads(): Promise<Uploads> {
    this.#uploadsLoading ??= import('./uploads/uploads.svelte.ts').then(
      ({ Uploads }) => {
        this.uploads = new Uploads(this)
        return this.uploads
      },
      (error) => {
        this.#uploadsLoading = undefined
        throw error
      },
    )
    return this.#uploadsLoading
  }

  #tellNodes(before: readonly NodeJson[], now: readonly NodeJson[]): void {
    for (const [index, node] of now.entries()) {
      const was = before[index]?.health
      if (was === undefined || (was === 'up') === (node.health === 'up')) continue
      this.toasts.announce(`${node.name} is ${node.health === 'up' ? 'back' : 'not answering'}.`)
    }
    if (before.length > 0) void this.library.refresh(true)
  }
}

export const [getApp, setApp] = createContext<App>()
