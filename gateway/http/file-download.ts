// GET and HEAD of a file: conditions, one range, and the bytes at the client's pace. Decides with
// the pure functions beside it; how the bytes come together is the store's.
import { DfsError } from '@fourfold/storage-node/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ByteRange, FileInfo, Store } from '../dfs/store.ts'
import { identityOf } from './auth.ts'
import { judgeRead, rangeApplies, wholeSeconds } from './conditions.ts'
import { chooseRange } from './range.ts'
import { abortOnClose, sendContent } from './response-body.ts'
import { servedHeaders } from './served-file.ts'

export interface DownloadOptions {
  store: Store
  name: string
  /** `?download`: to save, not to show. */
  isDownload: boolean
  stallTimeoutMs: number
}

/** What one request gets of a file. */
interface Answer {
  status: 200 | 206 | 304
  headers: Record<string, string>
  send: ByteRange | 'all' | 'nothing'
  sizeBytes: number
}

/**
 * Answers the request. Once bytes flow the reply is ours (hijacked): a failure then breaks the
 * connection.
 * @throws DfsError FILE_NOT_FOUND, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE, PARTS_UNAVAILABLE
 *   and others
 */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DownloadOptions,
): Promise<FastifyReply> {
  const { store, name, stallTimeoutMs } = options
  const signal = abortOnClose(reply.raw)
  let answer: Answer | undefined
  let refusal: unknown
  const download = await store.download(identityOf(request), {
    name,
    signal,
    choose(file) {
      try {
        answer = answerTo(request, file, options.isDownload)
        return answer.send
      } catch (error) {
        refusal = error
        return 'nothing'
      }
    },
  })
  if (answer === undefined) {
    addRangeSize(reply, refusal, download.file)
    throw refusal ?? new DfsError('INTERNAL', 'The store chose without asking.')
  }
  const { status, headers, sizeBytes } = answer
  // A file shown in a sandbox has an origin of its own; browsers complain of a page that asks for
  // more.
  reply.raw.removeHeader('origin-agent-cluster')
  if (answer.send === 'nothing') {
    if (status !== 304) reply.header('content-length', String(sizeBytes))
    return reply.code(status).headers(headers).send()
  }
  const content = download.content[Symbol.asyncIterator]()
  // While this can fail, the reply must not carry the file's header fields.
  const first = await content.next()
  reply.headers(headers).header('content-length', String(sizeBytes))
  reply.hijack()
  for (const [field, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(field, value)
  }
  reply.raw.writeHead(status)
  try {
    await sendContent(reply.raw, { content, first, sizeBytes, stallTimeoutMs })
  } catch (error) {
    // Nothing can be said to the client any more; a client that left is no news.
    const code = error instanceof DfsError ? error.code : undefined
    if (!signal.aborted || code !== undefined) request.log.info({ code }, 'download broke off')
  }
  return reply
}

/** @throws DfsError where the file as it is cannot be answered with */
function answerTo(request: FastifyRequest, file: FileInfo, isDownload: boolean): Answer {
  const { headers } = request
  const verdict = judgeRead(headers, file)
  if (verdict === 'failed') {
    throw new DfsError('PRECONDITION_FAILED', 'The file is not the one that the request expects.')
  }
  const validators = {
    etag: `"${file.md5}"`,
    'last-modified': new Date(wholeSeconds(file.modifiedMs)).toUTCString(),
    'cache-control': 'private, no-cache',
  }
  if (verdict === 'not-modified') {
    return { status: 304, headers: validators, send: 'nothing', sizeBytes: 0 }
  }
  const common = {
    ...validators,
    ...servedHeaders(file, isDownload),
    'accept-ranges': 'bytes',
  }
  const whole = { status: 200 as const, headers: common, sizeBytes: file.sizeBytes }
  if (request.method === 'HEAD') {
    requireReadable(file)
    return { ...whole, send: 'nothing' }
  }
  const isRanged = rangeApplies(headers, file, Date.now())
  const range = isRanged ? chooseRange(headers.range, file.sizeBytes) : 'all'
  if (range === 'unsatisfiable') {
    const message = `The file has ${file.sizeBytes} bytes; the range is beyond them.`
    throw new DfsError('RANGE_NOT_SATISFIABLE', message)
  }
  if (range === 'all') return { ...whole, send: 'all' }
  return {
    status: 206,
    headers: { ...common, 'content-range': `bytes ${range.from}-${range.to}/${file.sizeBytes}` },
    send: range,
    sizeBytes: range.to - range.from + 1,
  }
}

/** RFC 9110 section 15.5.17: a 416 tells the size. */
function addRangeSize(reply: FastifyReply, error: unknown, file: FileInfo): void {
  if (error instanceof DfsError && error.code === 'RANGE_NOT_SATISFIABLE') {
    reply.header('content-range', `bytes */${file.sizeBytes}`)
  }
}

/** HEAD says what GET would (RFC 9110 section 9.3.2), also that it would fail. */
function requireReadable(file: FileInfo): void {
  if (file.state !== 'insufficient') return
  const { missingParts: parts, missingNodes: nodes } = file
  const message = 'No node that answers has all the parts of this file.'
  throw new DfsError('PARTS_UNAVAILABLE', message, { detail: { parts, nodes } })
}
