// Uploads and downloads over a bare socket, so that the client takes little of the machine that is
// measured: bytes made once are sent again and again, and what arrives is counted, and digested
// only where it is to be compared.
import { createHash } from 'node:crypto'
import { connect, type Socket } from 'node:net'

const PART_BYTES = 1_048_576
const PART = Buffer.alloc(PART_BYTES)
for (let at = 0; at < PART.length; at += 4) PART.writeUInt32LE((at * 2_654_435_761) >>> 0, at)

/** A transfer that stands still for so long has failed. */
const STALL_MS = 120_000
const BOUNDARY = 'fourfold-bench'

export interface Target {
  /** Address without a slash at its end. */
  url: string
  /** The value of the header field, where one is needed. */
  authorization?: string
}

export interface Answer {
  status: number
  head: string
  /** Bytes of the body. */
  bodyBytes: number
  seconds: number
}

/** The MD5 of `sizeBytes` bytes as `put` sends them. */
export function contentMd5(sizeBytes: number): string {
  const hash = createHash('md5')
  for (let left = sizeBytes; left > 0; left -= PART_BYTES) {
    hash.update(left >= PART_BYTES ? PART : PART.subarray(0, left))
  }
  return hash.digest('hex')
}

export function put(target: Target, path: string, sizeBytes: number): Promise<Answer> {
  const head = headOf(target, `PUT ${path}`, [`content-length: ${sizeBytes}`])
  return exchange(target, async (socket) => {
    socket.write(head)
    await sendContent(socket, sizeBytes)
  })
}

export function postForm(target: Target, name: string, sizeBytes: number): Promise<Answer> {
  const before = Buffer.from(
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n` +
      'content-type: application/octet-stream\r\n\r\n',
  )
  const after = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
  const head = headOf(target, 'POST /files', [
    `content-type: multipart/form-data; boundary=${BOUNDARY}`,
    `content-length: ${before.length + sizeBytes + after.length}`,
  ])
  return exchange(target, async (socket) => {
    socket.write(Buffer.concat([head, before]))
    await sendContent(socket, sizeBytes)
    socket.write(after)
  })
}

/** As the page uploads: by tus 1.0, the name first and then the bytes. */
export async function putResumable(
  target: Target,
  name: string,
  sizeBytes: number,
): Promise<Answer> {
  const version = 'tus-resumable: 1.0.0'
  const filename = Buffer.from(name).toString('base64')
  const creation = headOf(target, 'POST /uploads', [
    ...[version, 'content-length: 0', `upload-length: ${sizeBytes}`],
    `upload-metadata: filename ${filename}`,
  ])
  const created = await exchange(target, async (socket) => void socket.write(creation))
  const location = /^location: *(\S+)/im.exec(created.head)?.[1]
  if (location === undefined) return created
  const { pathname } = new URL(location, target.url)
  const head = headOf(target, `PATCH ${pathname}`, [
    ...[version, 'upload-offset: 0', `content-length: ${sizeBytes}`],
    'content-type: application/offset+octet-stream',
  ])
  return exchange(target, async (socket) => {
    socket.write(head)
    await sendContent(socket, sizeBytes)
  })
}

export function get(
  target: Target,
  path: string,
  onBody: (bytes: Buffer) => void = () => {},
): Promise<Answer> {
  const head = headOf(target, `GET ${path}`, [])
  return exchange(target, async (socket) => void socket.write(head), onBody)
}

export function headOf({ url, authorization }: Target, line: string, fields: string[]): Buffer {
  const all = [`${line} HTTP/1.1`, `host: ${new URL(url).host}`, ...fields]
  if (authorization !== undefined) all.push(`authorization: ${authorization}`)
  return Buffer.from(`${all.join('\r\n')}\r\n\r\n`)
}

async function sendContent(socket: Socket, sizeBytes: number): Promise<void> {
  for (let left = sizeBytes; left > 0; left -= PART_BYTES) {
    const isTaken = socket.write(left >= PART_BYTES ? PART : PART.subarray(0, left))
    if (!isTaken) await new Promise<void>((resolve) => socket.once('drain', resolve))
  }
}

/** One request on a connection of its own; resolves when its answer is whole. */
function exchange(
  { url }: Target,
  send: (socket: Socket) => Promise<void>,
  onBody: (bytes: Buffer) => void = () => {},
): Promise<Answer> {
  const { hostname: host, port } = new URL(url)
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    const reader = new AnswerReader(onBody)
    const take = (bytes: Buffer) => {
      if (!reader.push(bytes)) return
      socket.destroy()
      const { status, head, bodyBytes } = reader
      resolve({ status, head, bodyBytes, seconds: (performance.now() - startedMs) / 1000 })
    }
    const buffer = Buffer.allocUnsafeSlow(PART_BYTES)
    const callback = (lengthBytes: number) => {
      take(buffer.subarray(0, lengthBytes))
      return true
    }
    const socket = connect({ host, port: Number(port), onread: { buffer, callback } })
    socket.setTimeout(STALL_MS, () => socket.destroy(new Error('the transfer stands still')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection ended before the answer')))
    socket.once('connect', () => send(socket).catch(reject))
  })
}

/** Reads one answer with a Content-Length. */
export class AnswerReader {
  status = 0
  head = ''
  bodyBytes = 0
  #lengthBytes = -1
  #start = Buffer.alloc(0)
  #onBody: (bytes: Buffer) => void

  constructor(onBody: (bytes: Buffer) => void = () => {}) {
    this.#onBody = onBody
  }

  /** Answers whether the answer is whole. */
  push(bytes: Buffer): boolean {
    if (this.#lengthBytes < 0) {
      this.#start = Buffer.concat([this.#start, bytes])
      const end = this.#start.indexOf('\r\n\r\n')
      if (end < 0) return false
      this.head = this.#start.toString('latin1', 0, end)
      this.status = Number(this.head.slice(9, 12))
      this.#lengthBytes = Number(/^content-length: *(\d+)/im.exec(this.head)?.[1] ?? 0)
      this.#body(this.#start.subarray(end + 4))
    } else {
      this.#body(bytes)
    }
    return this.bodyBytes >= this.#lengthBytes
  }

  #body(bytes: Buffer): void {
    this.bodyBytes += bytes.length
    this.#onBody(bytes)
  }
}
