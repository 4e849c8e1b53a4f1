// POST of a multipart form: any number of files in any order, each streamed to the store before
// the next is read. What is complete stays, also where a later file fails; the answer says so.

import type { MultipartFile } from '@fastify/multipart'
import { DfsError, toDfsError } from '@fourfold/storage-node/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FileInfo, Store } from '../dfs/store.ts'
import { identityOf } from './auth.ts'
import { mediaTypeOf } from './file-upload.ts'
import type { Patience } from './patience.ts'
import { bodyEnded, readBody, within, withSource } from './request-body.ts'
import { folderPrefix, nameFromForm } from './request-names.ts'
import { abortOnClose } from './response-body.ts'
import { fileJson } from './schemas.ts'
import { askForBody } from './server.ts'

export interface FormOptions {
  store: Store
  /** Where the files go; a field `folder` before them says otherwise. */
  folder: string | undefined
  patience: Patience
}

/**
 * The files that the form brought, stored.
 * @throws DfsError FORM_INVALID, IDLE_TIMEOUT, ABORTED, and what the store throws, each with the
 *   files that are stored all the same in `detail.files`
 */
export async function storeForm(
  request: FastifyRequest,
  reply: FastifyReply,
  options: FormOptions,
): Promise<FileInfo[]> {
  const { store, patience } = options
  if (!request.isMultipart())
    throw new DfsError('FORM_INVALID', 'The request is no multipart form.')
  if (!/;\s*boundary=/i.test(request.headers['content-type'] ?? ''))
    throw new DfsError('FORM_INVALID', 'The Content-Type of the form names no boundary.')
  const identity = identityOf(request)
  const signal = abortOnClose(reply.raw)
  const stored: FileInfo[] = []
  let folder = folderPrefix(options.folder)
  /** A folder was named, and no file came after it. */
  let isFolderIdle = false
  askForBody(request, reply)
  const parts = request.parts()
  try {
    while (true) {
      const { value: part, done } = await within(nextPart(parts, request), patience.stallTimeoutMs)
      if (done === true) break
      if (part.type === 'field') {
        if (part.fieldname !== 'folder') continue
        folder = folderPrefix(String(part.value))
        isFolderIdle = true
        continue
      }
      isFolderIdle = false
      const upload = await uploadOf(part, { request, folder, patience })
      if (upload !== undefined) {
        const { file } = await withSource(upload.source, (source) =>
          store.upload(identity, { ...upload, source, signal, isSourceOwned: true }),
        )
        stored.push(file)
      }
      // The plugin would keep every part until the end of the request.
      delete part.fields[part.fieldname]
    }
    if (stored.length === 0) throw new DfsError('FORM_INVALID', 'The form has no file.')
    if (isFolderIdle) throw lateFolder()
    return stored
  } catch (thrown) {
    const error = toDfsError(thrown)
    const detail = { ...error.detail, files: stored.map(fileJson) }
    throw new DfsError(error.code, error.message, { detail, cause: error.cause ?? error })
  }
}

/** Files are stored as they come: what is said of them later comes too late. */
function lateFolder(): DfsError {
  const message =
    'The field folder came after the files, which are stored where they were to go without it. ' +
    'Put it before them, or the folder into the address: /files?folder=NAME.'
  return new DfsError('FORM_INVALID', message)
}

interface FormUpload {
  name: string
  type?: string
  source: AsyncIterable<Buffer>
}

interface PartOptions {
  request: FastifyRequest
  folder: string
  patience: Patience
}

/** The upload that a part asks for; undefined for a file input that was left empty. */
async function uploadOf(
  part: MultipartFile,
  { request, folder, patience }: PartOptions,
): Promise<FormUpload | undefined> {
  const toError = (cause: unknown) => formError(cause, request)
  const source = readBody(part.file, { patience, toError })
  // The types say string; a part of type application/octet-stream may come without a file name.
  const filename = (part.filename as string | undefined) ?? ''
  if (filename === '') {
    for await (const bytes of source) {
      if (bytes.length > 0) throw new DfsError('FORM_INVALID', 'A file of the form has no name.')
    }
    return undefined
  }
  const type = mediaTypeOf(part.mimetype)
  const name = folder + nameFromForm(filename)
  return type === undefined ? { name, source } : { name, source, type }
}

type Parts = ReturnType<FastifyRequest['parts']>

async function nextPart(parts: Parts, request: FastifyRequest) {
  try {
    return await parts.next()
  } catch (cause) {
    throw formError(cause, request)
  }
}

/** The parser's complaints are about what the client sent, or about its going away. */
function formError(cause: unknown, request: FastifyRequest): DfsError {
  if (cause instanceof DfsError) return cause
  if (request.raw.destroyed && !request.raw.complete) return bodyEnded(cause)
  return new DfsError('FORM_INVALID', 'The form is broken or cut off.', { cause })
}
