// GET and HEAD of a file: the answer's head, and the bytes at the client's pace. What the answer
// is, file-answer.ts decides; how the bytes come together is the store's.
import { DfsError } from '@fourfold/storage-node/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FileInfo, Store } from '../dfs/store.ts'
import { identityOf } from './auth.ts'
import { type Answer, answerTo } from './file-answer.ts'
import type { Patience } from './patience.ts'
import { abortOnClose, sendContent } from './response-body.ts'

export interface DownloadOptions {
  store: Store
  name: string
  /** `?download`: to save, not to show. */
  isDownload: boolean
  patience: Patience
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
  const { store, name, patience } = options
  const signal = abortOnClose(reply.raw)
  let answer: Answer | undefined
  let refusal: unknown
  const download = await store.download(identityOf(request), {
    name,
    signal,
    choose(file) {
      try {
        const { method, headers } = request
        answer = answerTo(
          { method, headers, isDownload: options.isDownload, nowMs: Date.now() },
          file,
        )
        return answer.select
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
  if (answer.select === 'nothing') {
    if (status !== 304) reply.header('content-length', String(sizeBytes))
    return reply.code(status).headers(headers).send()
  }
  const body = answer.wrap?.(download.content) ?? download.content
  const content = body[Symbol.asyncIterator]()
  // While this can fail, the reply must not carry the file's header fields.
  const first = await content.next()
  reply.hijack()
  reply.raw.writeHead(status, { ...headers, 'content-length': sizeBytes })
  try {
    await sendContent(reply.raw, { content, first, sizeBytes, patience })
  } catch (error) {
    // Nothing can be said to the client any more; a client that left is no news.
    const code = error instanceof DfsError ? error.code : undefined
    if (!signal.aborted || code !== undefined) request.log.info({ code }, 'download broke off')
  }
  return reply
}

/** RFC 9110 section 15.5.17: a 416 tells the size. */
function addRangeSize(reply: FastifyReply, error: unknown, file: FileInfo): void {
  if (error instanceof DfsError && error.code === 'RANGE_NOT_SATISFIABLE') {
    reply.header('content-range', `bytes */${file.sizeBytes}`).header('accept-ranges', 'bytes')
  }
}
