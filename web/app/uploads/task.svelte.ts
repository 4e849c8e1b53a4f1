// One upload over tus: reads, sends, waits, goes on, ends. The bytes stay on disk until the browser
// sends them. When it may start is the queue's to say.
import { DetailedError, Upload } from 'tus-js-client'
import { formatSize } from '../../format.ts'
import type { Incoming } from '../incoming.ts'
import { roomBytes } from '../room.ts'
import { forget, type KeptUpload, keep } from './kept.ts'
import { md5Of } from './md5.ts'
import type { Uploads } from './uploads.svelte.ts'

/**
 * `next`: in line. `reading`: its MD5 is taken. `committing`: all is sent, the nodes make it
 * durable. `waiting`: for nodes or the gateway. `asking`: the name is there already, a person
 * decides. `stopped`: the page was loaded anew without it.
 */
export type Phase =
  | 'next'
  | 'reading'
  | 'sending'
  | 'committing'
  | 'waiting'
  | 'asking'
  | 'paused'
  | 'stopped'
  | 'done'
  | 'failed'

/** Up to here the content's MD5 goes along, so that the gateway checks what arrives. */
const MAX_HASHED_BYTES = 32 * 1024 * 1024
/** Rounds in a row that bring no byte, after which an upload fails. */
const MAX_IDLE_ROUNDS = 5
const MAX_PAUSE_MS = 30_000

export class Task {
  phase = $state<Phase>('next')
  sentBytes = $state(0)
  /** Why it failed, a sentence. */
  fault = $state('')
  readonly name: string
  readonly sizeBytes: number
  isBusy = $derived(['reading', 'sending', 'committing'].includes(this.phase))
  isUnfinished = $derived(!['done', 'failed', 'stopped'].includes(this.phase))
  readonly #queue: Uploads
  /** A file of this name may go; a person said so. */
  readonly #mayReplace: boolean
  #file: File | undefined
  #lastModified: number
  #url: string | undefined
  #upload: Upload | undefined
  #stop = new AbortController()
  #sent = 0
  #sentBefore = 0
  #idleRounds = 0
  #retryTimer: ReturnType<typeof setTimeout> | undefined

  constructor(queue: Uploads, { file, name }: Incoming, mayReplace: boolean) {
    this.#queue = queue
    this.#mayReplace = mayReplace
    this.#file = file
    this.#lastModified = file.lastModified
    this.name = name
    this.sizeBytes = file.size
  }

  static fromKept(queue: Uploads, kept: KeptUpload): Task {
    const { name, size, lastModified, mayReplace } = kept
    const task = new Task(queue, { file: { size, lastModified } as File, name }, mayReplace)
    task.#file = undefined
    task.#url = kept.url
    task.#sent = kept.sent
    task.sentBytes = kept.sent
    task.phase = 'stopped'
    return task
  }

  /** @param room bytes that still fit; undefined where nobody knows */
  async start(room: number | undefined): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    if (this.#url === undefined && room !== undefined && file.size > room) {
      return this.#fail(this.#noRoom(room))
    }
    this.#stop = new AbortController()
    const { signal } = this.#stop
    this.phase = 'reading'
    const needsMd5 = this.#url === undefined && file.size <= MAX_HASHED_BYTES
    try {
      const md5 = needsMd5 ? await md5Of(file, signal) : undefined
      if (signal.aborted) return
      this.phase = 'sending'
      this.#sentBefore = this.#sent
      this.#upload = this.#open(file, md5)
      this.#upload.start()
    } catch {
      if (!signal.aborted) this.#fail('The file can no longer be read on this device.')
    }
  }

  #open(file: File, md5: string | undefined): Upload {
    const upload = new Upload(file, {
      // Where it knows an endpoint, tus-js-client begins anew at any trouble with the old upload,
      // also at one that passes.
      ...(this.#url === undefined
        ? { endpoint: `${location.origin}${this.#queue.app.api.base}/uploads` }
        : { uploadUrl: this.#url }),
      metadata: {
        filename: this.name,
        filetype: file.type || 'application/octet-stream',
        lastModified: String(file.lastModified),
        ...(md5 === undefined ? {} : { md5 }),
      },
      // The list may be behind: the gateway decides, at the beginning and again at the end.
      ...(this.#mayReplace ? {} : { headers: { 'if-none-match': '*' } }),
      // Waiting and trying again is done here, with what is known of the nodes.
      retryDelays: null,
      storeFingerprintForResuming: false,
      onUploadUrlAvailable: () => {
        this.#url = upload.url ?? undefined
        this.#keep()
      },
      onProgress: (sent) => {
        this.#sent = sent
        if (sent === file.size && this.phase === 'sending') this.phase = 'committing'
      },
      onError: (error) => {
        if (upload === this.#upload) this.#stumble(error)
      },
      onSuccess: () => {
        if (upload === this.#upload) this.#finish()
      },
    })
    return upload
  }

  /** The queue's clock: what the screen shows follows what was sent. */
  sample(): void {
    if (this.sentBytes === this.#sent) return
    this.sentBytes = this.#sent
    if (this.phase === 'sending') this.#keep()
  }

  #finish(): void {
    this.#sent = this.sizeBytes
    this.sentBytes = this.sizeBytes
    this.phase = 'done'
    if (this.#url !== undefined) forget(this.#url)
    this.#queue.ended(this)
  }

  #stumble(error: Error | DetailedError): void {
    const response = error instanceof DetailedError ? error.originalResponse : null
    const status = response?.getStatus() ?? 0
    this.#upload = undefined
    if (status === 401) this.#queue.app.signedOut()
    const problem = problemIn(response?.getBody())
    if (problem.code === 'PRECONDITION_FAILED' && !this.#mayReplace) {
      this.#ask()
      return
    }
    const fault = this.#judge(status, problem)
    if (fault !== undefined) {
      this.#fail(fault)
      return
    }
    this.phase = 'waiting'
    this.#tryLater()
  }

  #ask(): void {
    this.phase = 'asking'
    if (this.#url !== undefined) forget(this.#url)
    const file = this.#file
    if (file !== undefined) void this.#queue.clashed(this, { file, name: this.name })
  }

  /** What an error means: a sentence where it is the end, undefined where trying again helps. */
  #judge(status: number, { code, detail }: { code?: string; detail?: string }): string | undefined {
    if (code === 'NO_SPACE') return this.#noRoom(roomBytes(this.#queue.app.cluster.nodes))
    if (status === 404 || status === 410) {
      // The gateway gave up on what it kept: from the start, unless that was the start.
      if (this.#url === undefined) return detail ?? 'The gateway takes no uploads here.'
      forget(this.#url)
      this.#url = undefined
      this.#sent = 0
    } else if (status >= 400 && status < 500 && ![401, 409, 423, 429].includes(status)) {
      return detail ?? `The gateway refused it (${status}).`
    }
    // A silent gateway or absent nodes are waited for as long as it takes.
    const isAway = [0, 423, 503].includes(status)
    this.#idleRounds = isAway || this.#sent > this.#sentBefore ? 0 : this.#idleRounds + 1
    return this.#idleRounds >= MAX_IDLE_ROUNDS ? (detail ?? 'It got no further.') : undefined
  }

  #tries = 0
  #tryLater(): void {
    this.#tries = this.#sent > this.#sentBefore ? 0 : this.#tries + 1
    const pauseMs = Math.min(MAX_PAUSE_MS, 1000 * 2 ** Math.min(this.#tries, 5))
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => this.#queue.wake(), pauseMs * (0.5 + Math.random() / 2))
  }

  #fail(sentence: string): void {
    this.fault = sentence
    this.phase = 'failed'
    this.#queue.ended(this)
  }

  #noRoom(room: number | undefined): string {
    const left = room === undefined ? '' : `, ${formatSize(Math.max(0, room))} left`
    return `Not enough room: needs ${formatSize(this.sizeBytes)}${left}.`
  }

  #halt(phase: Phase): void {
    this.#stop.abort()
    clearTimeout(this.#retryTimer)
    const upload = this.#upload
    this.#upload = undefined
    void upload?.abort(false).catch(() => {})
    this.phase = phase
  }

  /** Nodes or gateway are away: what was kept stays, and the queue starts it again. */
  hold(): void {
    // All is sent and the nodes are asked to keep it: the answer decides.
    if (this.phase !== 'committing') this.#halt('waiting')
  }

  pause(): void {
    if (this.phase === 'asking') return
    this.#halt('paused')
  }

  retry(): void {
    this.fault = ''
    this.#idleRounds = 0
    this.phase = 'next'
    this.#queue.pump()
  }

  /** After a reload, with the file chosen again. Answers why it is not the same, or undefined. */
  resumeWith(file: File): string | undefined {
    if (file.size !== this.sizeBytes) return 'That is a different file (size differs).'
    if (file.lastModified !== this.#lastModified) {
      return 'That is a different file (it has changed since).'
    }
    this.#file = file
    this.phase = 'next'
    this.#queue.pump()
    return undefined
  }

  cancel(): void {
    const url = this.#url
    const isKept = url !== undefined && this.phase !== 'done'
    if (this.phase !== 'done') this.#halt('failed')
    if (!isKept) return
    forget(url)
    Upload.terminate(url, { retryDelays: [] }).catch(() => {})
  }

  #keep(): void {
    if (this.#url === undefined) return
    const user = this.#queue.app.user ?? ''
    const { name, sizeBytes: size } = this
    const lastModified = this.#lastModified
    const mayReplace = this.#mayReplace
    keep({ user, name, size, lastModified, mayReplace, url: this.#url, sent: this.#sent })
  }
}

function problemIn(body: string | undefined): { code?: string; detail?: string } {
  try {
    return JSON.parse(body ?? '')
  } catch {
    return {}
  }
}
