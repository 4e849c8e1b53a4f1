// How the tests of the HTTP face speak to a gateway: plain requests as a signed-in user, and raw
// bytes over a socket where a client library would not send what a test needs.
import { connect } from 'node:net'
import { type Dispatcher, request } from 'undici'

export const USER = 'alice'
export const PASSWORD = 'correct horse'
export const BASIC = basic(USER, PASSWORD)

/** A raw conversation that lasts longer has failed. */
const RAW_TIMEOUT_MS = 20_000

export interface Reply {
  status: number
  headers: Record<string, string | undefined>
  body: Buffer
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  json: any
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

export interface CallOptions {
  method?: Dispatcher.HttpMethod
  headers?: Record<string, string>
  body?: string | Buffer | AsyncIterable<Uint8Array>
  /** Default: as alice; null: as nobody. */
  authorization?: string | null
}

/** One request to `url`; its path is sent as it is. */
export async function call(url: string, options: CallOptions = {}): Promise<Reply> {
  const { method = 'GET', headers = {}, body, authorization = BASIC } = options
  const answer = await request(url, {
    method,
    headers: { ...(authorization === null ? {} : { authorization }), ...headers },
    ...(body === undefined ? {} : { body: body as Dispatcher.DispatchOptions['body'] as Buffer }),
  })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  const text = bytes.toString()
  const isPlain = answer.headers['content-encoding'] === undefined
  const isJson = isPlain && /json/.test(String(answer.headers['content-type']))
  return {
    status: answer.statusCode,
    headers: answer.headers as Record<string, string>,
    body: bytes,
    text,
    json: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
}

/** What browsers accept where they ask for a page. */
export const HTML = 'text/html,application/xhtml+xml,*/*;q=0.8'

/**
 * A browser without scripts: one cookie, the origin of `url`, and no Basic credentials. Paths are
 * those of the site.
 */
export function formBrowser(url: string) {
  const { origin } = new URL(url)
  let cookie = ''
  const send = async (path: string, options: CallOptions = {}): Promise<Reply> => {
    const headers = { accept: HTML, origin, ...(cookie && { cookie }), ...options.headers }
    const answer = await call(`${url}${path}`, { ...options, headers, authorization: null })
    const set = String(answer.headers['set-cookie'] ?? '')
    const value = /fourfold=([^;]*)/.exec(set)?.[1]
    if (value !== undefined) cookie = value === '' ? '' : `fourfold=${value}`
    return answer
  }
  const submit = (
    path: string,
    fields: Record<string, string> | [string, string][],
    headers: Record<string, string> = {},
  ) =>
    send(path, {
      method: 'POST',
      body: new URLSearchParams(fields).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    })
  return { send, submit, cookie: () => cookie }
}

export interface FormPart {
  field: string
  content: string | Buffer
  filename?: string
  type?: string
}

export const BOUNDARY = 'test-boundary'
export const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`

/** A multipart body as browsers write it; without its end where `isCut`. */
export function formBody(parts: readonly FormPart[], isCut = false): Buffer {
  const pieces = parts.flatMap(({ field, content, filename, type }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`
    const head = [
      `--${BOUNDARY}`,
      `Content-Disposition: form-data; name="${field}"${file}`,
      ...(type === undefined ? [] : [`Content-Type: ${type}`]),
      '',
      '',
    ].join('\r\n')
    return [Buffer.from(head), Buffer.from(content), Buffer.from('\r\n')]
  })
  if (!isCut) pieces.push(Buffer.from(`--${BOUNDARY}--\r\n`))
  return Buffer.concat(pieces)
}

/**
 * Sends raw bytes (step by step, waiting for a match between them) and answers all that came
 * back.
 */
export function raw(
  url: string,
  steps: (string | Buffer | RegExp | 'half-close' | (() => string))[],
): Promise<string> {
  const { hostname, port } = new URL(url)
  const left = [...steps]
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    let text = ''
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`The gateway did not close the connection; it said: ${text}`))
    }, RAW_TIMEOUT_MS)
    const advance = () => {
      while (left.length > 0) {
        const [step] = left
        if (step instanceof RegExp && !step.test(text)) return
        left.shift()
        if (step === 'half-close') socket.end()
        else if (typeof step === 'function') socket.write(step())
        else if (!(step instanceof RegExp)) socket.write(step!)
      }
    }
    socket.once('connect', advance)
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      advance()
    })
    socket.once('end', () => socket.end())
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
    socket.on('error', (error) => {
      text += `\n[${error.message}]`
    })
  })
}
