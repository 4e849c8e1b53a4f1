// POST /zip: selected files as one archive, streamed, its length known beforehand. Takes JSON, or
// the form of the page that works without scripts. A failure in the middle breaks the connection:
// nobody takes a part for the whole.
import formbody from '@fastify/formbody'
import { DfsError, Type } from '@fourfold/storage-node/protocol'
import { create } from 'content-disposition'
import type { FastifyRequest } from 'fastify'
import type { Store } from '../dfs/store.ts'
import type { App } from './app.ts'
import { identityOf } from './auth.ts'
import type { Patience } from './patience.ts'
import { abortOnClose, sendContent } from './response-body.ts'
import { problemResponses, zipSchema } from './schemas.ts'
import { createZip, storeSource } from './zip-content.ts'
import { archivePaths, commonFolder } from './zip-names.ts'
import { type Selection, selectedFiles, selectionOf } from './zip-selection.ts'

/** Ten thousand names of a common length, percent-encoded. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024

export interface ZipOptions {
  store: Store
  patience: Patience
  requireUser: (request: FastifyRequest) => Promise<void>
}

export async function zipRoute(app: App, options: ZipOptions): Promise<void> {
  const { store, patience } = options
  await app.register(formbody, { bodyLimit: BODY_LIMIT_BYTES })
  app.post(
    '/zip',
    {
      onRequest: options.requireUser,
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        summary: 'Selected files and folders as one zip archive, not compressed.',
        consumes: ['application/json', 'application/x-www-form-urlencoded'],
        body: zipSchema,
        response: {
          200: {
            description: 'The archive.',
            content: { 'application/zip': { schema: Type.String({ format: 'binary' }) } },
          },
          ...problemResponses,
        },
      },
    },
    async (request, reply) => {
      const signal = abortOnClose(reply.raw)
      const identity = identityOf(request)
      const selection = selectionOf(request.body)
      const files = await selectedFiles(selection, { store, identity, signal })
      const names = files.map(({ name }) => name)
      const paths = archivePaths(names, commonFolder([...selection.prefixes, ...selection.names]))
      const sources = files.map((file, index) => {
        return storeSource({ store, identity, file, path: paths[index]!, signal })
      })
      const { sizeBytes, content } = createZip(sources)
      reply.hijack()
      reply.raw.writeHead(200, {
        'content-type': 'application/zip',
        'content-length': sizeBytes,
        'content-disposition': create(archiveName(selection), { type: 'attachment' }),
      })
      try {
        const first = await content.next()
        await sendContent(reply.raw, { content, first, sizeBytes, patience })
      } catch (error) {
        const code = error instanceof DfsError ? error.code : undefined
        if (!signal.aborted || code !== undefined) request.log.info({ code }, 'archive broke off')
      }
      return reply
    },
  )
}

/** One folder or file gives the archive its name. */
function archiveName({ names, prefixes }: Selection): string {
  const [only, ...others] = [...prefixes, ...names]
  const name = others.length === 0 ? only!.split('/').findLast((segment) => segment !== '') : ''
  return `${name || 'fourfold'}.zip`
}
