// The DFS client as its callers see it: HTTP plugins, the terminal and tests use this and nothing
// below. Knows no HTTP. Every method takes limits from the conf or an AbortSignal, and throws
// DfsError only.
import type { DfsError } from '@fourfold/storage-node/protocol'
import type { FileCheck } from './copy-check.ts'
import type { Identity } from './identity.ts'
import type { KeptUploads } from './kept-uploads.ts'
import type { NodeFigures } from './node-status.ts'

/** State of one file: all eight copies here; readable with fewer; not readable now. */
export type FileState = 'complete' | 'degraded' | 'insufficient'

export interface FileInfo {
  name: string
  sizeBytes: number
  /**
   * When the content last changed, milliseconds since 1970 (the version's time unless the uploader
   * said).
   */
  modifiedMs: number
  /** Media type as uploaded, or `application/octet-stream`. */
  type: string
  /** MD5 of the content, 32 hex digits; the strong ETag. */
  md5: string
  /** SHA-256 of the content, 64 hex digits, where its uploader told it; not in listings. */
  sha256?: string
  /** Version id, 32 hex digits. */
  version: string
  /**
   * Bit 2q: the copy of quarter q on node q; bit 2q+1: on node q+1 (q = 0..3). 255: all copies
   * here.
   */
  copies: number
  state: FileState
  /** Parts (1..4) of which no live node has a copy; empty unless insufficient. */
  missingParts: number[]
  /**
   * Nodes that are down and would bring `missingParts` back, e.g. `['DFS3', 'DFS4']`; empty: the
   * parts are gone.
   */
  missingNodes: string[]
}

/** `FileInfo` and where every copy is, for `?describe`. */
export interface FileDescription extends FileInfo {
  x: number
  first: number
  rows: number
  rowBytes: number
  /**
   * Per part 1..4: its bytes, and its two nodes with whether the copy is there now (null: node
   * down).
   */
  parts: { part: number; sizeBytes: number; copies: { node: string; isHere: boolean | null }[] }[]
}

export type SortKey = 'name' | 'size' | 'modified'

export interface ListQuery {
  /** Only names that begin with this. Default: all. */
  prefix?: string
  /** Names that contain it after the prefix are rolled up into `folders`; `/` makes folders. */
  delimiter?: string
  /** Only names that contain this text, ignoring case. */
  search?: string
  /** Default: name. Ties, and folders by `modified`, are in order of name. */
  sort?: SortKey
  /** Greatest first; folders stand before files all the same. */
  isDescending?: boolean
  /** At most this many files and folders together, 1..10000. Default 1000. */
  limit?: number
  /** `next` of the page before; or `from`. */
  cursor?: string
  /** How many rows to pass over, for a window into a long listing. */
  from?: number
  signal?: AbortSignal
}

export interface FolderInfo {
  /** Ends in the delimiter. */
  prefix: string
  /** Of all files below it. */
  fileCount: number
  sizeBytes: number
}

export interface Listing {
  /** In the order that was asked for, after all folders; names by UTF-16 code units. */
  files: FileInfo[]
  folders: FolderInfo[]
  /** Cursor of the next page; absent on the last. */
  next?: string
  /** Rows before the first one of this page. */
  from: number
  /** Rows (folders, and files outside of them) of all pages. */
  rowCount: number
  /** All files that match prefix and search, not only this page. */
  total: { fileCount: number; sizeBytes: number }
  /**
   * Names the state of all the user's files, at any gateway: the same as long as no file changes
   * and no node goes or comes.
   */
  change: string
  /** Nodes that did not contribute, e.g. `['DFS2']`. */
  missingNodes: string[]
}

/** What became of a user's files since a `change`. */
export interface ListingChanges {
  /** New and changed files, and perhaps some that are as they were; in no order. */
  files: FileInfo[]
  /** Names of files that are no more. */
  gone: string[]
  /** True where it cannot be told: list again. The other members are empty then. */
  isReset: boolean
  /** What to ask with the next time. */
  change: string
}

/**
 * When a write is refused with PRECONDITION_FAILED: unless absent, or unless its MD5 is one of
 * these.
 */
export type WriteCondition = { kind: 'absent' } | { kind: 'match'; md5s: string[] | 'any' }

export interface UploadRequest {
  name: string
  /** The content. Read once, in order; not read at all before the nodes are known to be up. */
  source: AsyncIterable<Uint8Array>
  /**
   * The source's buffers are nobody else's: their memory is given back as soon as they are used,
   * and they must not be touched again.
   */
  isSourceOwned?: boolean
  /**
   * Declared length, bytes: checked at the end (LENGTH_MISMATCH); lets one-row files be known
   * early.
   */
  sizeBytes?: number
  /** Expected MD5, 16 bytes: checked before commit (DIGEST_MISMATCH). */
  md5?: Uint8Array
  /** SHA-256, 32 bytes, kept with the file; `source` ends only where it is right. */
  sha256?: Uint8Array
  type?: string
  modifiedMs?: number
  condition?: WriteCondition
  /** Told the plaintext bytes taken so far. */
  onProgress?: (sentBytes: number) => void
  signal?: AbortSignal
}

export interface UploadResult {
  file: FileInfo
  /** True where no file of that name existed. */
  isNew: boolean
}

export interface MoveRequest {
  name: string
  /** The whole new name. */
  to: string
  /** What the file must be now. */
  condition?: WriteCondition
  /** Takes the place of a file that has the new name. Default: no. */
  isReplacing?: boolean
  signal?: AbortSignal
}

export interface FolderMoveRequest {
  /** Both end in `/`. */
  folder: string
  to: string
  /** Files take the place of those that have their new names. Default: no. */
  isReplacing?: boolean
  /** Told how many of how many files have their new names. */
  onProgress?: (movedCount: number, fileCount: number) => void
  signal?: AbortSignal
}

/** Bytes `from` to `to`, both included, as in HTTP. */
export interface ByteRange {
  from: number
  to: number
}

/** What a download takes of a file: ranges inside it, in the order in which they are sent. */
export type Selection = readonly ByteRange[] | 'all' | 'nothing'

export interface DownloadRequest {
  name: string
  /**
   * Decides what to send once the file is known (for conditional and range requests). Default: all.
   */
  choose?: (file: FileInfo) => Selection
  signal?: AbortSignal
}

export interface Download {
  file: FileInfo
  selection: Selection
  /**
   * The plaintext. Fails with DfsError when it cannot be made whole; leaving the loop frees all.
   * A chunk is valid only until the next one is asked for: copy what outlives that.
   */
  content: AsyncIterable<Buffer>
}

export type NodeHealth = 'up' | 'connecting' | 'down'

/** The figures are there only where the gateway has the cluster key and the node told them. */
export interface NodeState extends Partial<NodeFigures> {
  /** `DFS1`.. */
  name: string
  /** host:port */
  address: string
  health: NodeHealth
  /** Milliseconds since 1970 of the last change of `health`. */
  sinceMs: number
  /** Round trip of the last ping; absent while down. */
  latencyMs?: number
  /** Set where the node refuses uploads for want of disk. */
  isFull?: boolean
  /** Why it is not up, a sentence. */
  reason?: string
}

export interface Store {
  /** Waits until every node has answered or failed once, at most `timeoutMs`. */
  ready(timeoutMs?: number): Promise<void>
  /** @throws AUTH_FAILED, AUTH_THROTTLED, NODES_UNAVAILABLE, BUSY */
  signIn(request: { user: string; password: string; address: string }): Promise<Identity>
  /** Asks a node whether the identity still holds. @throws AUTH_FAILED */
  confirm(identity: Identity): Promise<void>
  /** The nodes, with the figures that they told last, while these are fresh. */
  nodes(): NodeState[]
  /** `nodes()` with figures asked for now: disk, repair, scrub. They need the cluster key. */
  nodesWithDisk(): Promise<NodeState[]>
  /** Calls `listener` at each change of a node's health; answers how to stop. */
  onNodesChange(listener: (nodes: NodeState[]) => void): () => void
  /** @throws NODES_UNAVAILABLE naming the nodes, NO_SPACE: the check before a body is read. */
  requireAllNodes(): void
  list(identity: Identity, query: ListQuery): Promise<Listing>
  /** What has changed since the `change` of a listing. */
  changes(
    identity: Identity,
    query: { since: string; signal?: AbortSignal },
  ): Promise<ListingChanges>
  /**
   * Calls `listener` with the new `change` whenever the user's files changed, soon after changes
   * by this gateway, within a few seconds after those by others; first with the present one.
   * `onEnd` is called where the identity no longer holds. Answers how to stop.
   */
  watchFiles(
    identity: Identity,
    watcher: { listener: (change: string) => void; onEnd: () => void },
  ): () => void
  /** @throws FILE_NOT_FOUND */
  stat(identity: Identity, name: string, signal?: AbortSignal): Promise<FileInfo>
  describe(identity: Identity, name: string, signal?: AbortSignal): Promise<FileDescription>
  upload(identity: Identity, request: UploadRequest): Promise<UploadResult>
  download(identity: Identity, request: DownloadRequest): Promise<Download>
  /** Needs three nodes, so that every readable set of nodes knows of it. @throws FILE_NOT_FOUND */
  remove(
    identity: Identity,
    request: { name: string; condition?: WriteCondition; signal?: AbortSignal },
  ): Promise<void>
  /**
   * Gives a file another name on all four nodes; no byte of its content is copied or sent.
   * @throws FILE_NOT_FOUND, NAME_EXISTS, PRECONDITION_FAILED, NODES_UNAVAILABLE, BUSY
   */
  move(identity: Identity, request: MoveRequest): Promise<FileInfo>
  /**
   * The same for all files whose names begin with `folder`, one by one; answers how many. Files
   * that have their new names keep them where a later one fails: repeating it moves the rest. The
   * error has `moved` and `left` (counts) in its detail.
   * @throws as `move`; NAME_EXISTS with the `names` in the way, before anything is moved
   */
  moveFolder(identity: Identity, request: FolderMoveRequest): Promise<number>
  /** Uploads that outlive a request, and go on where they broke off. */
  uploads: KeptUploads
  /**
   * Verifies every copy of the user's files, one after the other, by reading it.
   * @throws AUTH_FAILED, NODES_UNAVAILABLE
   */
  fsck(identity: Identity, signal?: AbortSignal): AsyncIterable<FileCheck>
  /**
   * As `fsck`, of all users' files: their ciphertext.
   * @throws FORBIDDEN where there is no cluster key
   */
  fsckAll(signal?: AbortSignal): AsyncIterable<FileCheck>
  /**
   * Asks nodes, by name, to read all that they hold, now and at their full pace. Answers for each
   * node what it said.
   * @throws FORBIDDEN where there is no cluster key
   */
  scrub(names: readonly string[]): Promise<{ name: string; error?: DfsError | undefined }[]>
  accounts: Accounts
  close(): Promise<void>
}

/** What the operator does with the cluster key, and users with their own password. */
export interface Accounts {
  /**
   * On all four nodes or not at all.
   * @throws ACCOUNT_EXISTS, FORBIDDEN, USERNAME_INVALID, PASSWORD_INVALID
   */
  add(account: { user: string; password: string }): Promise<void>
  /**
   * Rewraps the user key; needs the old password, without which nothing opens the files. Repeating
   * a change that was cut off finishes it. Answers who the user is from now on; sign-ins with the
   * old password no longer hold.
   * @throws AUTH_FAILED (the old password), AUTH_THROTTLED, PASSWORD_INVALID, NODES_UNAVAILABLE,
   *   BUSY, OUTCOME_UNKNOWN
   */
  changePassword(change: {
    user: string
    oldPassword: string
    newPassword: string
    /** Where the try comes from: what is slowed down after a failure. */
    address: string
  }): Promise<Identity>
  /** Removes the account and everything it owns from all four nodes. @throws ACCOUNT_UNKNOWN */
  remove(user: string): Promise<void>
  list(): Promise<string[]>
}
