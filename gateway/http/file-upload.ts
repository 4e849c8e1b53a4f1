// PUT of one file: the raw body as it comes, of any type and length, to the store. Reads the
// header fields that say what to expect of it; how the bytes are kept is the store's.
import { DfsError, MAX_TYPE_BYTES } from '@fourfold/storage-node/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Store, UploadRequest, UploadResult } from '../dfs/store.ts'
import { identityOf } from './auth.ts'
import { writeCondition } from './conditions.ts'
import { bodyDigests, checkedSource } from './digest-fields.ts'
import type { Patience } from './patience.ts'
import { bodyEnded, readBody, withSource } from './request-body.ts'
import { abortOnClose } from './response-body.ts'
import { isMediaType } from './served-file.ts'
import { askForBody } from './server.ts'

export interface PutOptions {
  store: Store
  name: string
  patience: Patience
}

/** @throws DfsError BAD_REQUEST, and what the store throws */
export async function storeBody(
  request: FastifyRequest,
  reply: FastifyReply,
  { store, name, patience }: PutOptions,
): Promise<UploadResult> {
  const identity = identityOf(request)
  const { headers } = request
  refuseUnusable(headers['content-range'], headers['content-encoding'])
  refuseCoding(headers['transfer-encoding'])
  const signal = abortOnClose(reply.raw)
  const condition = await writeCondition(headers, () => statOrNothing())
  const upload: Omit<UploadRequest, 'source'> = { name, signal, isSourceOwned: true }
  const sizeBytes = declaredSize(headers['content-length'], headers['transfer-encoding'])
  const { md5, digests } = bodyDigests(headers)
  const type = mediaTypeOf(headers['content-type'])
  if (sizeBytes !== undefined) upload.sizeBytes = sizeBytes
  if (md5 !== undefined) upload.md5 = md5
  const sha256 = digests.find(({ algorithm }) => algorithm === 'sha-256')?.bytes
  if (sha256 !== undefined) upload.sha256 = sha256
  if (type !== undefined) upload.type = type
  if (condition !== undefined) upload.condition = condition
  const onStart = () => askForBody(request, reply)
  const bytes = readBody(request.raw, { patience, toError: bodyEnded, onStart })
  const body = digests.length === 0 ? bytes : checkedSource(bytes, digests)
  return await withSource(body, (source) => store.upload(identity, { ...upload, source }))

  async function statOrNothing() {
    try {
      return await store.stat(identity, name, signal)
    } catch (error) {
      if (error instanceof DfsError && error.code === 'FILE_NOT_FOUND') return undefined
      throw error
    }
  }
}

/**
 * A type that can be kept with the file; undefined where none is given.
 * @throws DfsError BAD_REQUEST
 */
export function mediaTypeOf(header: string | undefined): string | undefined {
  const type = header?.trim()
  if (type === undefined || type === '') return undefined
  if (!isMediaType(type) || Buffer.byteLength(type) > MAX_TYPE_BYTES) {
    const message = `The Content-Type is no media type of at most ${MAX_TYPE_BYTES} bytes.`
    throw new DfsError('BAD_REQUEST', message)
  }
  return type
}

function declaredSize(length: string | undefined, coding: string | undefined): number | undefined {
  // A request with neither has no body (RFC 9112 section 6.3): an empty file.
  if (length === undefined) return coding === undefined ? 0 : undefined
  const sizeBytes = Number(length)
  if (!Number.isSafeInteger(sizeBytes)) {
    throw new DfsError('TOO_LARGE', 'The Content-Length is more than a file can have.')
  }
  return sizeBytes
}

/** RFC 9112 section 6.1: a coding that is not undone would be stored as if it were the file. */
function refuseCoding(coding: string | undefined): void {
  if (coding === undefined || coding.trim().toLowerCase() === 'chunked') return
  const detail = { httpStatus: 501 }
  throw new DfsError('BAD_REQUEST', 'The one Transfer-Encoding known here is chunked.', { detail })
}

function refuseUnusable(range: string | undefined, coding: string | undefined): void {
  // RFC 9110 section 14.5: a server that does not do partial PUT must not take one for a whole.
  if (range !== undefined) {
    throw new DfsError('BAD_REQUEST', 'A file is stored whole: PUT does not take a Content-Range.')
  }
  if (coding !== undefined && coding.trim().toLowerCase() !== 'identity') {
    const detail = { httpStatus: 415 }
    throw new DfsError('BAD_REQUEST', 'Send the file without a Content-Encoding.', { detail })
  }
}
