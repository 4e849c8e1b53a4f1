// Writes a file's bytes to a client at the client's pace, and answers requests whose body nobody
// will read. The hot path of every download: one write under way at a time, none copied.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream/promises'
import type { FastifyReply } from 'fastify'

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
  /** Longest time in which a client may take nothing, milliseconds. */
  stallTimeoutMs: number
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
  const { content, sizeBytes, stallTimeoutMs } = options
  let sentBytes = 0
  try {
    for (let step = options.first; step.done !== true; step = await content.next()) {
      sentBytes += step.value.length
      if (sentBytes > sizeBytes) throw new Error('The content is longer than announced.')
      await write(response, step.value, stallTimeoutMs)
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

function write(response: ServerResponse, bytes: Buffer, stallTimeoutMs: number): Promise<void> {
  const { socket } = response
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null) => {
      socket?.setTimeout(0)
      socket?.off('timeout', onStall)
      response.off('close', onClose)
      if (error) reject(error)
      else resolve()
    }
    const onClose = () => settle(new Error('The client went away.'))
    // The socket's own timeout: it knows whether bytes leave, also in the middle of one long write.
    const onStall = () => response.destroy()
    socket?.setTimeout(stallTimeoutMs)
    socket?.on('timeout', onStall)
    response.once('close', onClose)
    if (response.destroyed) onClose()
    else response.write(bytes, settle)
  })
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
