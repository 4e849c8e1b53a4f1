// PATCH of a file's address: another name for it, or, where the address ends with a slash, for all
// files of a folder. Metadata only: the store moves no byte of content.
import { DfsError } from '@fourfold/storage-node/protocol'
import type { FastifyRequest } from 'fastify'
import type { Store } from '../dfs/store.ts'
import type { App } from './app.ts'
import { identityOf } from './auth.ts'
import { writeCondition } from './conditions.ts'
import { nameFromTarget, nameToPath } from './request-names.ts'
import { abortOnClose } from './response-body.ts'
import { fileJson, movedSchema, moveSchema, problemResponses } from './schemas.ts'
import type { Views } from './views.ts'

/** RFC 7396: the new name is a part of the file's JSON, and this its media type. */
const MERGE_PATCH = 'application/merge-patch+json'

export interface MoveOptions {
  store: Store
  views: Views
  prefix: string
}

export function moveRoute(app: App, { store, views, prefix }: MoveOptions): void {
  app.addContentTypeParser(
    MERGE_PATCH,
    { parseAs: 'string' },
    app.getDefaultJsonParser('error', 'error'),
  )
  app.patch(
    `${prefix}*`,
    {
      schema: {
        summary: 'Give a file, or with a slash at both ends a folder, another name.',
        body: moveSchema,
        response: { 200: movedSchema, ...problemResponses },
      },
    },
    async (request, reply) => {
      const name = nameFromTarget(request.raw.url ?? '', prefix)
      const { name: to, replace: isReplacing = false } = request.body
      const identity = identityOf(request)
      const signal = abortOnClose(reply.raw)
      if (name.endsWith('/')) {
        refuseConditions(request)
        const moved = await store.moveFolder(identity, { folder: name, to, isReplacing, signal })
        return reply.send({ name: to, moved })
      }
      const condition = await writeCondition(request.headers, () => store.stat(identity, name))
      const move = { name, to, isReplacing, signal }
      const file = await store.move(
        identity,
        condition === undefined ? move : { ...move, condition },
      )
      reply.header('etag', `"${file.md5}"`)
      reply.header('content-location', `${views.base}${prefix}${nameToPath(file.name)}`)
      return reply.send(fileJson(file))
    },
  )
}

/** A folder has no entity tag and no time. */
function refuseConditions({ headers }: FastifyRequest): void {
  const fields = ['if-match', 'if-none-match', 'if-unmodified-since'].filter(
    (field) => headers[field] !== undefined,
  )
  if (fields.length === 0) return
  throw new DfsError('BAD_REQUEST', `A folder takes no conditions (${fields.join(', ')}).`)
}
