// What a GET or HEAD of a file is answered with: status, header fields, and which bytes. One pure
// function over the request's fields and the file as it is; conditions, ranges, digests and names
// each have a module of their own beside it.
import type { IncomingHttpHeaders } from 'node:http'
import { DfsError } from '@fourfold/storage-node/protocol'
import { requireReadable } from '../dfs/lookup.ts'
import type { FileInfo, Selection } from '../dfs/store.ts'
import { byteRangesBody } from './byte-ranges.ts'
import { judgeRead, rangeApplies, wholeSeconds } from './conditions.ts'
import { digestHeaders } from './digest-fields.ts'
import { httpDate } from './http-date.ts'
import { chooseRanges } from './range.ts'
import { servedHeaders } from './served-file.ts'

/** What one request gets of a file. */
export interface Answer {
  status: 200 | 206 | 304
  headers: Record<string, string>
  select: Selection
  /** Of the body as it is sent, heads between ranges included. */
  sizeBytes: number
  /** Makes the body of the bytes that were selected. Default: those bytes. */
  wrap?: (content: AsyncIterable<Buffer>) => AsyncGenerator<Buffer>
}

export interface ReadRequest {
  method: string
  headers: IncomingHttpHeaders
  /** `?download`: to save, not to show. */
  isDownload: boolean
  nowMs: number
}

/**
 * RFC 9110 section 13.2.1: conditions count only where the answer would else be 2xx, so a file that
 * cannot be read now is told before anything else, also to HEAD.
 * @throws DfsError PARTS_UNAVAILABLE, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE
 */
export function answerTo(request: ReadRequest, file: FileInfo): Answer {
  const { headers, isDownload, nowMs } = request
  requireReadable(file)
  const verdict = judgeRead(headers, file)
  if (verdict === 'failed') {
    throw new DfsError('PRECONDITION_FAILED', 'The file is not the one that the request expects.')
  }
  const served = servedHeaders(file, isDownload)
  if (verdict === 'not-modified') return notModified(file, served)
  const common = {
    ...cacheHeaders(file),
    // Section 8.8.2.1: never later than the answer itself.
    'last-modified': httpDate(Math.min(wholeSeconds(file.modifiedMs), nowMs)),
    ...served,
    'accept-ranges': 'bytes',
  }
  const { sizeBytes } = file
  const whole: Answer = {
    status: 200,
    headers: { ...common, ...digestHeaders(file, headers, true) },
    select: 'all',
    sizeBytes,
  }
  // Section 14.2: Range is defined for GET alone.
  if (request.method === 'HEAD') return { ...whole, select: 'nothing' }
  const ranges = rangeApplies(headers, file, nowMs) ? chooseRanges(headers.range, sizeBytes) : 'all'
  if (ranges === 'unsatisfiable') {
    const message = `The file has ${sizeBytes} bytes; the range is beyond them.`
    throw new DfsError('RANGE_NOT_SATISFIABLE', message)
  }
  if (ranges === 'all') return whole
  const partial = { ...common, ...digestHeaders(file, headers, false) }
  const [only] = ranges
  if (only !== undefined && ranges.length === 1) {
    return {
      status: 206,
      headers: { ...partial, 'content-range': `bytes ${only.from}-${only.to}/${sizeBytes}` },
      select: ranges,
      sizeBytes: only.to - only.from + 1,
    }
  }
  const body = byteRangesBody(ranges, { sizeBytes, contentType: served['content-type'] })
  return {
    status: 206,
    // Section 15.3.7.2: the Content-Range stands in each part, and not here.
    headers: { ...partial, 'content-type': body.contentType },
    select: ranges,
    sizeBytes: body.sizeBytes,
    wrap: body.wrap,
  }
}

/**
 * Section 15.4.5: what guides caches and nothing else; the policy is among it, because a cache
 * puts the fields of this answer in the place of those it has.
 */
function notModified(file: FileInfo, served: ReturnType<typeof servedHeaders>): Answer {
  const policy = { 'content-security-policy': served['content-security-policy'] }
  return {
    status: 304,
    headers: { ...cacheHeaders(file), ...policy },
    select: 'nothing',
    sizeBytes: 0,
  }
}

function cacheHeaders(file: FileInfo): Record<string, string> {
  return { etag: `"${file.md5}"`, 'cache-control': 'private, no-cache' }
}
