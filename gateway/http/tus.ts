// The face for uploads that survive broken connections: tus 1.0.0 at /uploads, with creation,
// creation-with-upload, deferred length, expiration, checksum and termination. Our own and not
// @tus/server, which has no checksums, no problem documents and no offsets that storage confirms.
import { DfsError, ROW_BYTES, Type } from '@fourfold/storage-node/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { KeptInfo } from '../dfs/kept-info.ts'
import type { Store } from '../dfs/store.ts'
import type { App } from './app.ts'
import { identityOf } from './auth.ts'
import { writeCondition } from './conditions.ts'
import type { Patience } from './patience.ts'
import { bodyEnded, readBody, withSource } from './request-body.ts'
import { nameToPath } from './request-names.ts'
import { abortOnClose } from './response-body.ts'
import { askForBody } from './server.ts'
import { checked } from './tus-body.ts'
import {
  BODY_TYPE,
  byteCount,
  CHECKSUMS,
  checksumOf,
  EXTENSIONS,
  fileOf,
  MAX_SIZE_BYTES,
  TUS_VERSION,
} from './tus-headers.ts'
import type { Views } from './views.ts'

const PATH = '/uploads'

export interface TusOptions {
  store: Store
  views: Views
  patience: Patience
  requireUser: (request: FastifyRequest) => Promise<void>
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

export async function tusRoutes(app: App, options: TusOptions): Promise<void> {
  const { store, views } = options
  app.addHook('onRequest', tellVersion)
  app.addHook('onRequest', options.requireUser)
  app.addHook('onRequest', requireVersion)
  app.addHook('onSend', lockForHead)
  // The body is a stream, whatever its type says, and has no limit.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

  const create: Handler = async (request, reply) => {
    const { headers } = request
    const hasBody = isBody(headers['content-type'])
    const sizeBytes = byteCount('Upload-Length', one(headers['upload-length']))
    requireLength(sizeBytes, one(headers['upload-defer-length']))
    const file = fileOf(one(headers['upload-metadata']))
    const identity = identityOf(request)
    const condition = await writeCondition(headers, () => statOrNothing(request, file.name))
    const kept = { ...file, ...(condition !== undefined && { condition }) }
    const isWhole = hasBody && headers['content-length'] === headers['upload-length']
    if (isWhole && sizeBytes !== undefined && sizeBytes <= ROW_BYTES) {
      const { source, isAtomic: _, ...body } = bodyOf(request, reply)
      const info = await withSource(source, (bytes) =>
        store.uploads.createWhole(identity, { ...kept, sizeBytes }, { ...body, source: bytes }),
      )
      reply.code(201).header('location', `${views.base}${PATH}/${info.id}`)
      return tell(reply, info).send()
    }
    const info = await store.uploads.create(identity, {
      ...kept,
      ...(sizeBytes !== undefined && { sizeBytes }),
    })
    reply.code(201).header('location', `${views.base}${PATH}/${info.id}`)
    if (!hasBody && sizeBytes !== 0) return tell(reply, info).send()
    // From here on there is an upload: whatever happens to its first bytes, the client is told
    // where it is, and asks for its offset.
    const fed = await feed(request, reply, { id: info.id, offsetBytes: 0 }).catch(
      (error: unknown) => {
        if (!isPassing(error)) throw error
        return undefined
      },
    )
    return fed === undefined ? reply.send() : tell(reply, fed).send()
  }

  const look: Handler = async (request, reply) => {
    const info = await store.uploads.find(identityOf(request), idOf(request))
    if (info.note !== '') reply.header('upload-metadata', info.note)
    if (info.sizeBytes === undefined) reply.header('upload-defer-length', '1')
    else reply.header('upload-length', String(info.sizeBytes))
    return tell(reply.code(200), info).send()
  }

  const add: Handler = async (request, reply) => {
    const { headers } = request
    if (!isBody(headers['content-type'])) throw wrongType()
    const offsetBytes = byteCount('Upload-Offset', one(headers['upload-offset']))
    if (offsetBytes === undefined) throw new DfsError('BAD_REQUEST', 'Upload-Offset is missing.')
    const sizeBytes = byteCount('Upload-Length', one(headers['upload-length']))
    const place = { id: idOf(request), offsetBytes, ...(sizeBytes !== undefined && { sizeBytes }) }
    return tell(reply.code(204), await feed(request, reply, place)).send()
  }

  const end: Handler = async (request, reply) => {
    await store.uploads.drop(identityOf(request), idOf(request))
    return reply.code(204).send()
  }

  const tellAbilities: Handler = async (_request, reply) => {
    reply.header('tus-version', TUS_VERSION).header('tus-extension', EXTENSIONS)
    reply.header('tus-max-size', String(MAX_SIZE_BYTES))
    return reply.code(204).header('tus-checksum-algorithm', CHECKSUMS.join(',')).send()
  }

  /** Reads the body into the upload, up to its end or the first trouble. */
  async function feed(
    request: FastifyRequest,
    reply: FastifyReply,
    place: { id: string; offsetBytes: number; sizeBytes?: number },
  ): Promise<KeptInfo> {
    const { source, ...body } = bodyOf(request, reply)
    return await withSource(source, (bytes) =>
      store.uploads.append(identityOf(request), { ...place, ...body, source: bytes }),
    )
  }

  /** The body, checked where there is a checksum, and whether the client is still there. */
  function bodyOf(request: FastifyRequest, reply: FastifyReply) {
    const checksum = checksumOf(one(request.headers['upload-checksum']))
    const body = readBody(request.raw, {
      patience: options.patience,
      toError: bodyEnded,
      onStart: () => askForBody(request, reply),
    })
    const isAtomic = checksum !== undefined
    const source = checksum === undefined ? body : checked(body, checksum)
    return { source, signal: abortOnClose(reply.raw), isAtomic, isSourceOwned: true }
  }

  function tell(reply: FastifyReply, info: KeptInfo): FastifyReply {
    reply.header('upload-offset', String(info.offsetBytes))
    if (info.stored === undefined) {
      return reply.header('upload-expires', new Date(info.expiresMs).toUTCString())
    }
    const { md5, isNew } = info.stored
    reply.header('etag', `"${md5}"`).header('upload-result', isNew ? 'created' : 'replaced')
    return reply.header('content-location', `${views.base}/files/${nameToPath(info.name)}`)
  }

  async function statOrNothing(request: FastifyRequest, name: string) {
    try {
      return await store.stat(identityOf(request), name)
    } catch (error) {
      if (error instanceof DfsError && error.code === 'FILE_NOT_FOUND') return undefined
      throw error
    }
  }

  // What a client can do that knows no PATCH and DELETE, or is not let through with them. "The
  // actual method of the request MUST be ignored": else a DELETE that means PATCH would delete.
  const byMethod =
    (handlers: Record<string, Handler>): Handler =>
    (request, reply) => {
      const method = methodOf(request)
      if (Object.hasOwn(handlers, method)) return handlers[method]!(request, reply)
      reply.header('allow', Object.keys(handlers).sort().join(', '))
      throw new DfsError('METHOD_NOT_ALLOWED', `${method} is not for this address.`)
    }
  const onAll = byMethod({ POST: create, OPTIONS: tellAbilities })
  const onOne = byMethod({ HEAD: look, PATCH: add, DELETE: end, OPTIONS: tellAbilities })
  // A HEAD can mean nothing that changes something: it needs no origin of ours.
  const onHead = byMethod({ HEAD: look })

  const config = { isStreamed: true }
  const oneUpload = `${PATH}/:id`
  const schema = (summary: string) => ({ schema: { summary }, config })
  app.post(PATH, schema('Open an upload that can be resumed (tus 1.0.0).'), onAll)
  app.post(oneUpload, schema('As X-HTTP-Method-Override says.'), onOne)
  app.head(oneUpload, schema('How far an upload is.'), onHead)
  app.patch(oneUpload, schema('Add bytes to an upload.'), onOne)
  app.delete(oneUpload, schema('Give an upload up.'), onOne)
  for (const url of [PATH, oneUpload]) {
    app.options(url, schema('What this server knows of tus.'), tellAbilities)
  }
  app.get(
    PATH,
    { schema: { summary: 'Uploads that are not finished.', response: { 200: listSchema } } },
    async (request) => {
      const uploads = await store.uploads.list(identityOf(request))
      return { uploads: uploads.map((info) => uploadJson(info, views.base)) }
    },
  )
}

const listSchema = Type.Object({
  uploads: Type.Array(
    Type.Object({
      location: Type.String(),
      name: Type.String(),
      size: Type.Optional(Type.Number()),
      offset: Type.Number(),
      modified: Type.Optional(Type.String()),
      expires: Type.String(),
    }),
  ),
})

function uploadJson(info: KeptInfo, base: string) {
  const { id, name, sizeBytes, offsetBytes, modifiedMs, expiresMs } = info
  return {
    ...{ location: `${base}${PATH}/${id}`, name, offset: offsetBytes },
    ...(sizeBytes !== undefined && { size: sizeBytes }),
    ...(modifiedMs !== undefined && { modified: new Date(modifiedMs).toISOString() }),
    expires: new Date(expiresMs).toISOString(),
  }
}

/** Every answer says which tus it is, also one that asks who is there. */
async function tellVersion(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.header('tus-resumable', TUS_VERSION)
}

/** Nothing is done in another version. */
async function requireVersion(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const method = methodOf(request)
  if (method === 'GET' || method === 'OPTIONS') return
  if (one(request.headers['tus-resumable']) === TUS_VERSION) return
  reply.header('tus-version', TUS_VERSION)
  const detail = { httpStatus: 412 }
  throw new DfsError('BAD_REQUEST', `Tus-Resumable must be ${TUS_VERSION}.`, { detail })
}

/** What the request means, whatever it was sent as. */
function methodOf(request: FastifyRequest): string {
  return one(request.headers['x-http-method-override'])?.trim().toUpperCase() ?? request.method
}

/**
 * tus-js-client, and Uppy with it, waits at 423 to HEAD but begins anew at any other trouble: what
 * was kept would be lost to it, and lie on the nodes until it expires. So trouble that passes is a
 * lock to HEAD.
 */
async function lockForHead(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (methodOf(request) === 'HEAD' && reply.statusCode === 503) reply.code(423)
}

function requireLength(sizeBytes: number | undefined, deferred: string | undefined): void {
  const isDeferred = deferred?.trim() === '1'
  if (deferred !== undefined && !isDeferred) {
    throw new DfsError('BAD_REQUEST', 'Upload-Defer-Length can be 1 and nothing else.')
  }
  if (isDeferred === (sizeBytes === undefined)) return
  throw new DfsError('BAD_REQUEST', 'Send either Upload-Length or Upload-Defer-Length: 1.')
}

/** Trouble after which the upload is still there and can go on. */
function isPassing(error: unknown): boolean {
  return error instanceof DfsError && error.canRetry && error.code !== 'DIGEST_MISMATCH'
}

function isBody(type: string | undefined): boolean {
  return type?.split(';')[0]?.trim().toLowerCase() === BODY_TYPE
}

function wrongType(): DfsError {
  const detail = { httpStatus: 415 }
  return new DfsError('BAD_REQUEST', `The Content-Type of a PATCH is ${BODY_TYPE}.`, { detail })
}

function idOf(request: FastifyRequest): string {
  return (request.params as { id: string }).id
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header
}
