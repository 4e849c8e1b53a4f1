// Many small requests over keep-alive connections, each connection one request after the other:
// how many a second, and how long each took. Speaks just enough HTTP for that.
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { AnswerReader, headOf, type Target } from './transfer.ts'

export const SMALL_BYTES = 4096
/** Names in use: many enough that uploads do not wait for each other. */
const NAMES = 512

export interface SmallLoad {
  target: Target
  /** `{name}` stands for the file's number. */
  path: string
  method: 'PUT' | 'GET'
  connections: number
  /** Milliseconds, or as long as something else is under way. */
  lasts: number | Promise<unknown>
}

export interface SmallResult {
  perSecond: number
  p50Ms: number
  p99Ms: number
  count: number
  /** Answers that were not 2xx. */
  failures: number
}

export async function runSmall(load: SmallLoad): Promise<SmallResult> {
  const timesMs: number[] = []
  let failures = 0
  const startedMs = performance.now()
  let isOver = false
  const end = typeof load.lasts === 'number' ? setTimeout(load.lasts) : load.lasts
  const over = end.then(() => {
    isOver = true
  })
  const visitors = Array.from({ length: load.connections }, (_, index) =>
    visit(load, index, (tookMs, isGood) => {
      timesMs.push(tookMs)
      if (!isGood) failures++
      return !isOver
    }),
  )
  await Promise.all([over, ...visitors])
  const seconds = (performance.now() - startedMs) / 1000
  timesMs.sort((a, b) => a - b)
  const at = (share: number) => timesMs[Math.floor(timesMs.length * share)] ?? 0
  const count = timesMs.length
  return { perSecond: count / seconds, p50Ms: at(0.5), p99Ms: at(0.99), count, failures }
}

/** Stores every file that a load of GET asks for. */
export async function fill(load: SmallLoad): Promise<void> {
  let left = NAMES
  const puts: SmallLoad = { ...load, method: 'PUT', connections: 1 }
  await visit(puts, 0, () => --left > 0)
}

/** One connection until `onAnswer` says that it is enough. */
function visit(
  load: SmallLoad,
  index: number,
  onAnswer: (tookMs: number, isGood: boolean) => boolean,
): Promise<void> {
  const requests = requestsOf(load)
  const { hostname: host, port } = new URL(load.target.url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), noDelay: true })
    let next = index * 7
    let sentMs = 0
    let reader = new AnswerReader()
    const send = () => {
      sentMs = performance.now()
      socket.write(requests[next++ % requests.length]!)
    }
    socket.on('data', (bytes: Buffer) => {
      if (!reader.push(bytes)) return
      const isGood = reader.status >= 200 && reader.status < 300
      reader = new AnswerReader()
      if (onAnswer(performance.now() - sentMs, isGood)) send()
      else socket.destroy()
    })
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('close', () => resolve())
  })
}

const made = new Map<string, Buffer[]>()

/** Made once for each kind: what the client does between two requests is measured with them. */
function requestsOf({ target, path, method }: SmallLoad): Buffer[] {
  const kind = `${method} ${target.url} ${path}`
  const known = made.get(kind)
  if (known !== undefined) return known
  const body = method === 'PUT' ? Buffer.alloc(SMALL_BYTES, 'x') : Buffer.alloc(0)
  const fields = method === 'PUT' ? [`content-length: ${body.length}`] : []
  const requests = Array.from({ length: NAMES }, (_, number) => {
    const line = `${method} ${path.replace('{name}', String(number))}`
    return Buffer.concat([headOf(target, line, fields), body])
  })
  made.set(kind, requests)
  return requests
}
