// Writes a file's bytes to a client at the client's pace, and answers requests whose body nobody
// will read. The hot path of every download: one write under way at a time, none copied.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream/promises'
import type { FastifyReply } from 'fastify'
import { Pace, type Patience } from './patience.ts'

/** What a client is sent at once before it is known how fast it is, and at most and at least. */
const FIRST_SLICE_BYTES = 65_536
const MAX_SLICE_BYTES = 1_048_576
const LEAST_SLICE_BYTES = 16_384
const QUICK_MS = 20

/**
 * What is read of a refused body before the connection is cut, so that the client reads the answer:
 * browsers look for it only when they have sent most of what they have.
 */
const LINGER_BYTES = 256 * 1024 * 1024
const LINGER_MS = 15_000
/** A client that sends nothing for so long has read the answer, or never will. */
const LINGER_QUIET_MS = 1000

/** Aborts when the client goes away before the answer is complete. */
export function abortOnClose(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort()
  })
  return controller.signal
}

export interface ContentOptions {
  content: AsyncIterator<Buffer>
  /**
   * What `content` gave first, asked for before the head was sent so that a failure had a status.
   */
  first: IteratorResult<Buffer>
  sizeBytes: number
  /** How slowly the client may take it. */
  patience: Patience
}

/**
 * Sends `sizeBytes` of content and ends the answer. Each piece is out of our hands before the
 * next is asked for, because the store reuses its memory. Anything short of all bytes destroys
 * the connection: a client must never take a part for the whole.
 */
export async function sendContent(
  response: ServerResponse,
  options: ContentOptions,
): Promise<void> {
  const { content, sizeBytes, patience } = options
  const writer = new PacedWriter(response, patience)
  let sentBytes = 0
  try {
    for (let step = options.first; step.done !== true; step = await content.next()) {
      sentBytes += step.value.length
      if (sentBytes > sizeBytes) throw new Error('The content is longer than announced.')
      await writer.write(step.value)
    }
    if (sentBytes !== sizeBytes) throw new Error('The content is shorter than announced.')
    response.end()
  } catch (error) {
    response.destroy()
    throw error
  } finally {
    await content.return?.()
  }
}

/** Writes at the client's pace, and gives up on a client that is slower than it may be. */
class PacedWriter {
  readonly #response: ServerResponse
  readonly #patience: Patience
  readonly #pace: Pace
  #sliceBytes = FIRST_SLICE_BYTES

  constructor(response: ServerResponse, patience: Patience) {
    this.#response = response
    this.#patience = patience
    this.#pace = new Pace(patience)
  }

  /** Slices are large for a fast client, and small for a slow one, so that its progress is seen. */
  async write(bytes: Buffer): Promise<void> {
    let at = 0
    do {
      const slice = bytes.subarray(at, at + this.#sliceBytes)
      const sinceMs = performance.now()
      await this.#writeSlice(slice)
      const tookMs = performance.now() - sinceMs
      this.#pace.saw(slice.length, tookMs)
      const isQuick = tookMs < QUICK_MS
      this.#sliceBytes = isQuick
        ? Math.min(this.#sliceBytes * 4, MAX_SLICE_BYTES)
        : LEAST_SLICE_BYTES
      at += slice.length
    } while (at < bytes.length)
  }

  #writeSlice(bytes: Buffer): Promise<void> {
    const response = this.#response
    const { socket } = response
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null) => {
        clearTimeout(timer)
        socket?.setTimeout(0)
        socket?.off('timeout', giveUp)
        response.off('close', onClose)
        if (error) reject(error)
        else resolve()
      }
      const onClose = () => settle(new Error('The client went away.'))
      const giveUp = () => response.destroy()
      const timer = setTimeout(giveUp, this.#pace.timeFor(bytes.length))
      // The socket's own timeout: it knows whether bytes leave, also in the middle of one write.
      socket?.setTimeout(this.#patience.stallTimeoutMs)
      socket?.on('timeout', giveUp)
      response.once('close', onClose)
      if (response.destroyed) onClose()
      else response.write(bytes, settle)
    })
  }
}

/** Whether the client is still sending, or waits to be told to send, a body that was not read. */
export function hasUnreadBody(request: IncomingMessage): boolean {
  const { headers } = request
  const hasBody =
    headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
  return hasBody && !request.complete
}

/**
 * Sends a whole answer while the request's body is under way, and closes. Closing at once with
 * unread bytes would make the kernel reset the connection and the client lose the answer, so a
 * bounded amount of the body is read and thrown away first (RFC 9112 section 9.6).
 */
export async function answerAndClose(reply: FastifyReply, body: string): Promise<void> {
  const request = reply.request.raw
  const response = reply.raw
  const { statusCode } = reply
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) response.setHeader(name, value)
  }
  response.writeHead(statusCode, {
    connection: 'close',
    'content-length': Buffer.byteLength(body),
  })
  response.write(body)
  await drain(request)
  response.end()
  await finished(response).catch(() => {})
}

async function drain(request: IncomingMessage): Promise<void> {
  let leftBytes = LINGER_BYTES
  await new Promise<void>((resolve) => {
    const stop = () => {
      clearTimeout(timer)
      clearTimeout(quietTimer)
      resolve()
    }
    const timer = setTimeout(stop, LINGER_MS)
    const quietTimer = setTimeout(stop, LINGER_QUIET_MS)
    request.unpipe()
    request.on('data', (bytes: Buffer) => {
      quietTimer.refresh()
      leftBytes -= bytes.length
      if (leftBytes < 0) stop()
    })
    request.once('end', stop).once('close', stop).on('error', stop)
    if (request.destroyed || request.readableEnded) stop()
    else request.resume()
  })
  request.pause()
}
