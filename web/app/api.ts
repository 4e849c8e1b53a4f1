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
    this.code = problem.code ?? 'INTERNAL'
    this.hint = problem.hint ?? ''
  }
}

export type Api = ReturnType<typeof createApi>

/** @param base path of the site without a slash at its end; '' at the root */
export function createApi(base: string) {
  /** From sign-in to sign-out: what is read later would be refused, or be another user's. */
  let visit = new AbortController()

  async function ask(path: string, init: RequestInit): Promise<Response> {
    const response = await fetch(base + path, init).catch(lost)
    if (response.ok) return response
    throw new ApiError(response.status, await response.json().catch(() => ({})))
  }

  function call(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { accept: 'application/json', ...init.headers }
    const signals = [AbortSignal.timeout(TIMEOUT_MS)]
    // A change that was asked for is seen through.
    if (!init.method) signals.push(visit.signal)
    return ask(path, { ...init, headers, signal: AbortSignal.any(signals) })
  }

  const read = async (path: string) => (await call(path)).json().catch(lost)

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
      return (await response.json()).user
    },
    signOut: () => call('/session', { method: 'DELETE' }),
    /** Somebody is signed in; answers what tells of the end. */
    beginVisit(): AbortSignal {
      visit = new AbortController()
      return visit.signal
    },
    /** Gives up all that is being read, and reads nothing more until the next visit. */
    endVisit: () => visit.abort(),
    changePassword: (current: string, next: string) =>
      send('POST', '/account/password', { current, next }),
    list(cursor?: string): Promise<ListingJson> {
      if (cursor === undefined) return read(`/files?limit=${FIRST_FILES}`)
      return read(`/files?limit=${PAGE_FILES}&cursor=${encodeURIComponent(cursor)}`)
    },
    changes: (since: string): Promise<ChangesJson> =>
      read(`/files?since=${encodeURIComponent(since)}`),
    nodes: async (): Promise<NodeJson[]> => (await read('/nodes')).nodes,
    describe: (name: string): Promise<DescriptionJson> => read(`${pathOf(name)}?describe`),
    /** `isLast`: the page is going away, and the request must outlive it. */
    remove: (name: string, isLast = false) =>
      call(pathOf(name), { method: 'DELETE', keepalive: isLast }),
    rename: (name: string, to: string, replace = false) =>
      send('PATCH', pathOf(name), { name: to, replace }),
    /** The first bytes of a file, at most `maxBytes`. */
    async head(name: string, maxBytes: number): Promise<ArrayBuffer> {
      const headers = { accept: '*/*', range: `bytes=0-${maxBytes - 1}` }
      return (await call(pathOf(name), { headers })).arrayBuffer().catch(lost)
    },
    /**
     * Follows the gateway's events until the stream ends, fails or is silent too long.
     * @throws ApiError where it does not open
     */
    async follow(onEvent: (event: string, data: string) => void) {
      const stop = new AbortController()
      const both = AbortSignal.any([visit.signal, stop.signal])
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

function lost(): never {
  throw new ApiError(0, { detail: "Can't reach the gateway." })
}
