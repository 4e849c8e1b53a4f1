// All HTTP of the page, in one place: what is asked of the gateway and the shapes of its answers.
// Knows nothing of what is shown; every failure is an ApiError with the gateway's own code.
import { filePath } from '../paths.ts'

const TIMEOUT_MS = 30_000
/** Files of the first page, so that something is seen soon; and the most that are given at once. */
const FIRST_FILES = 500
const PAGE_FILES = 10_000
/** Twice the gateway's heartbeat and some: a stream that is silent for longer is dead. */
const SILENCE_MS = 40_000

export interface FileJson {
  name: string
  size: number
  modified: string
  type: string
  md5: string
  copies: number
}

export interface ListingJson {
  files: FileJson[]
  next?: string
  total: { files: number; size: number }
  /** Names the state of all files. */
  change: string
}

/** What is different from the listing that `change` named. */
export interface ChangesJson {
  files: FileJson[]
  gone: string[]
  change: string
  /** It cannot be told: list again. */
  reset?: boolean
}

export interface NodeJson {
  name: string
  address: string
  health: 'up' | 'connecting' | 'down'
  /** ISO 8601: since when `health` is so. */
  since: string
  latencyMs?: number
  full?: boolean
  reason?: string
  freeBytes?: number | undefined
  storedBytes?: number | undefined
  started?: string
  /** Of `freeBytes`, kept free of uploads. */
  reserveBytes?: number | undefined
  /** Copies brought back, and these with those that are still missing. */
  repair?: { state: string; done: number; total: number; unrepairable: number; finished?: string }
  scrub?: { state: string; bytes: number; totalBytes: number; last?: { finished: string } }
}

export interface DescriptionJson extends FileJson {
  x: number
  first: number
  rows: number
  rowBytes: number
  parts: { part: number; size: number; nodes: { node: string; here: boolean | null }[] }[]
}

/** `status` 0: no answer came at all. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly hint: string

  constructor(status: number, problem: { code?: string; detail?: string; hint?: string }) {
    super(problem.detail ?? 'The gateway gave no reason.')
    this.status = status
    this.code = problem.code ?? (status === 0 ? 'GATEWAY_LOST' : 'INTERNAL')
    this.hint = problem.hint ?? ''
  }
}

export type Api = ReturnType<typeof createApi>

/** @param base path of the site without a slash at its end; '' at the root */
export function createApi(base: string) {
  async function ask(path: string, init: RequestInit): Promise<Response> {
    const response = await fetch(base + path, init).catch(() => {
      throw new ApiError(0, { detail: "Can't reach the gateway." })
    })
    if (!response.ok) throw await problemOf(response)
    return response
  }

  function call(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { accept: 'application/json', ...init.headers }
    return ask(path, { ...init, headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
  }

  const send = (method: string, path: string, body: unknown) =>
    call(path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const pathOf = (name: string) => filePath('', name)

  return {
    base,
    async signIn(user: string, password: string): Promise<string> {
      const response = await send('POST', '/session', { user, password })
      return ((await response.json()) as { user: string }).user
    },
    signOut: () => call('/session', { method: 'DELETE' }),
    changePassword: (current: string, next: string) =>
      send('POST', '/account/password', { current, next }),
    async list(cursor?: string): Promise<ListingJson> {
      const after = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const limit = cursor === undefined ? FIRST_FILES : PAGE_FILES
      return (await call(`/files?limit=${limit}${after}`)).json()
    },
    async changes(since: string): Promise<ChangesJson> {
      return (await call(`/files?since=${encodeURIComponent(since)}`)).json()
    },
    async nodes(): Promise<NodeJson[]> {
      const response = await call('/nodes')
      return ((await response.json()) as { nodes: NodeJson[] }).nodes
    },
    async describe(name: string): Promise<DescriptionJson> {
      return (await call(`${pathOf(name)}?describe`)).json()
    },
    /** `isLast`: the page is going away, and the request must outlive it. */
    remove: (name: string, isLast = false) =>
      call(pathOf(name), { method: 'DELETE', keepalive: isLast }),
    rename: (name: string, to: string, replace = false) =>
      send('PATCH', pathOf(name), { name: to, ...(replace ? { replace } : {}) }),
    /** The first bytes of a file, at most `maxBytes`. */
    async head(name: string, maxBytes: number): Promise<ArrayBuffer> {
      const headers = { accept: '*/*', range: `bytes=0-${maxBytes - 1}` }
      return (await call(pathOf(name), { headers })).arrayBuffer()
    },
    /**
     * Follows the gateway's events until the stream ends, fails or is silent too long.
     * @throws ApiError where it does not open
     */
    async follow(onEvent: (event: string, data: string) => void, signal: AbortSignal) {
      const stop = new AbortController()
      const both = AbortSignal.any([signal, stop.signal])
      let silence = setTimeout(() => stop.abort(), SILENCE_MS)
      try {
        const headers = { accept: 'text/event-stream' }
        const { body } = await ask('/events', { headers, signal: both })
        let text = ''
        // An end of any kind is an end: whoever follows opens the stream again.
        await body
          ?.pipeThrough(new TextDecoderStream())
          .pipeTo(
            new WritableStream({
              write(part) {
                clearTimeout(silence)
                silence = setTimeout(() => stop.abort(), SILENCE_MS)
                const events = (text + part).split('\n\n')
                text = events.pop() ?? ''
                for (const event of events) {
                  const name = /^event: (.*)$/m.exec(event)?.[1]
                  if (name !== undefined) onEvent(name, /^data: (.*)$/m.exec(event)?.[1] ?? '')
                }
              },
            }),
            { signal: both },
          )
          .catch(() => {})
      } finally {
        clearTimeout(silence)
      }
    },
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  const problem = await response.json().catch(() => ({}))
  return new ApiError(response.status, problem)
}
