// The face for files: which address and method does what, who may, and what must hold before a
// body is read.
import multipart from '@fastify/multipart'
import { DfsError, Type } from '@fourfold/storage-node/protocol'
import type { FastifyRequest } from 'fastify'
import type { Store } from '../dfs/store.ts'
import { prefersHtml } from './accept.ts'
import type { App } from './app.ts'
import { identityOf } from './auth.ts'
import { writeCondition } from './conditions.ts'
import { sendFile } from './file-download.ts'
import { storeForm } from './file-form.ts'
import { moveRoute } from './file-move.ts'
import { storeBody } from './file-upload.ts'
import { listingRoute } from './listing.ts'
import type { Patience } from './patience.ts'
import { folderPrefix, nameFromTarget, nameToPath } from './request-names.ts'
import { abortOnClose } from './response-body.ts'
import {
  descriptionJson,
  descriptionSchema,
  fileJson,
  fileQuerySchema,
  fileSchema,
  problemResponses,
  uploadedSchema,
} from './schemas.ts'
import type { Views } from './views.ts'

const PREFIX = '/files/'

/** Text fields of a form: a folder and what a script may add; more is an attack on memory. */
const FORM_LIMITS = {
  fileSize: Number.POSITIVE_INFINITY,
  parts: Number.POSITIVE_INFINITY,
  files: Number.POSITIVE_INFINITY,
  fields: 100,
  fieldSize: 16 * 1024,
  headerPairs: 20,
}

const bytesOrDescription = {
  description: 'The bytes, or with ?describe a description.',
  content: {
    'application/json': { schema: descriptionSchema },
    'application/octet-stream': { schema: Type.String({ format: 'binary' }) },
  },
}

const partOfFile = {
  description: 'The bytes of one range, or several with their places.',
  content: {
    'application/octet-stream': { schema: Type.String({ format: 'binary' }) },
    'multipart/byteranges': { schema: Type.String({ format: 'binary' }) },
  },
}

const READ_DESCRIPTION = [
  'Understood: If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, Range (up to 32',
  'ranges, in order but for two, with at most two overlaps; others are answered with the whole',
  'file), If-Range, Want-Repr-Digest and Want-Content-Digest (md5, and sha-256 where the uploader',
  'told it). The ETag is the MD5 in quotes.',
].join(' ')

export interface FileOptions {
  store: Store
  views: Views
  patience: Patience
  requireUser: (request: FastifyRequest) => Promise<void>
}

export async function fileRoutes(app: App, options: FileOptions): Promise<void> {
  const { store, views } = options
  app.addHook('onRequest', options.requireUser)
  /** After the user is known and before a byte of the body: promise 3 of the design. */
  const requireUploads = async () => store.requireAllNodes()
  await app.register(async (scope: App) => readRoutes(scope, options))
  await app.register(async (scope: App) => moveRoute(scope, { store, views, prefix: PREFIX }))
  await app.register(async (scope: App) => putRoute(scope, options, requireUploads))

  await app.register(async (scope: App) => {
    scope.removeAllContentTypeParsers()
    await scope.register(multipart, { preservePath: true, limits: FORM_LIMITS })
    scope.post(
      '/files',
      {
        onRequest: requireUploads,
        config: { isStreamed: true },
        schema: {
          summary: 'Store the files of a form.',
          consumes: ['multipart/form-data'],
          querystring: Type.Object({ folder: Type.Optional(Type.String()) }),
          response: { 201: uploadedSchema, ...problemResponses },
        },
      },
      async (request, reply) => {
        const { folder } = request.query
        const { patience } = options
        const stored = await storeForm(request, reply, { store, folder, patience })
        if (prefersHtml(request.headers)) {
          const sizeBytes = stored.reduce((sum, file) => sum + file.sizeBytes, 0)
          request.session.set('notice', { kind: 'stored', fileCount: stored.length, sizeBytes })
          return views.sendToFolder(reply, folderPrefix(folder))
        }
        return reply.code(201).send({ files: stored.map(fileJson) })
      },
    )
  })
}

function readRoutes(app: App, { store, views, patience }: FileOptions): void {
  listingRoute(app, { store, views, patience })

  app.route({
    method: ['GET', 'HEAD'],
    url: `${PREFIX}*`,
    schema: {
      summary: 'The bytes of a file; conditional and range requests as in RFC 9110.',
      description: READ_DESCRIPTION,
      querystring: fileQuerySchema,
      response: {
        200: bytesOrDescription,
        206: partOfFile,
        304: { description: 'The file is the one that the request names.' },
        ...problemResponses,
      },
    },
    async handler(request, reply) {
      const name = nameFromTarget(request.raw.url ?? '', PREFIX)
      if (request.query.describe === undefined) {
        const isDownload = request.query.download !== undefined
        return sendFile(request, reply, { store, name, isDownload, patience })
      }
      const signal = abortOnClose(reply.raw)
      const description = await store.describe(identityOf(request), name, signal)
      return reply.send(descriptionJson(description))
    },
  })

  app.delete(
    `${PREFIX}*`,
    {
      schema: {
        summary: 'Delete a file.',
        response: { 204: Type.Null(), ...problemResponses },
      },
    },
    async (request, reply) => {
      const name = nameFromTarget(request.raw.url ?? '', PREFIX)
      const identity = identityOf(request)
      const signal = abortOnClose(reply.raw)
      const condition = await writeCondition(request.headers, () => store.stat(identity, name))
      if (condition?.kind === 'absent') {
        throw new DfsError('PRECONDITION_FAILED', 'Only a file that exists can be deleted.')
      }
      const isFree = condition === undefined
      await store.remove(identity, { name, signal, ...(isFree ? {} : { condition }) })
      return reply.code(204).send(null)
    },
  )
}

function putRoute(
  app: App,
  { store, views, patience }: FileOptions,
  requireUploads: () => Promise<void>,
): void {
  // The body is a stream, whatever its type says, and has no limit.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  app.put(
    `${PREFIX}*`,
    {
      onRequest: requireUploads,
      config: { isStreamed: true },
      schema: {
        summary: 'Store the body as a file.',
        description:
          'Understood: If-Match, If-None-Match, If-Unmodified-Since, and to check what arrives ' +
          'Content-MD5, Content-Digest and Repr-Digest (sha-512, sha-256, sha, md5).',
        response: { 200: fileSchema, 201: fileSchema, ...problemResponses },
      },
    },
    async (request, reply) => {
      const name = nameFromTarget(request.raw.url ?? '', PREFIX)
      const { file, isNew } = await storeBody(request, reply, { store, name, patience })
      reply.header('etag', `"${file.md5}"`)
      if (!isNew) return reply.code(200).send(fileJson(file))
      const location = `${views.base}${PREFIX}${nameToPath(file.name)}`
      return reply.code(201).header('location', location).send(fileJson(file))
    },
  )
}
