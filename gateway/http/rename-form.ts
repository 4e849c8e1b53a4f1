// The page that gives a file or folder another name without scripts. What it does is PATCH's; a
// name that is taken brings the page again, with the choice to replace what has it.
import formbody from '@fastify/formbody'
import { DfsError, Type } from '@fourfold/storage-node/protocol'
import type { FastifyRequest } from 'fastify'
import type { Store } from '../dfs/store.ts'
import type { App } from './app.ts'
import { identityOf } from './auth.ts'
import type { PageBundle } from './page-bundle.ts'
import { shortName } from './pages.ts'
import { folderPrefix } from './request-names.ts'
import { abortOnClose } from './response-body.ts'
import type { Views } from './views.ts'

const BODY_LIMIT_BYTES = 64 * 1024

export interface RenameFormOptions {
  store: Store
  views: Views
  pages: PageBundle
  requireUser: (request: FastifyRequest) => Promise<void>
}

const querystring = Type.Object({ name: Type.String() })
const body = Type.Object({ to: Type.String(), replace: Type.Optional(Type.String()) })

export async function renameRoutes(app: App, options: RenameFormOptions): Promise<void> {
  const { store, views, pages, requireUser: onRequest } = options
  await app.register(formbody, { bodyLimit: BODY_LIMIT_BYTES })

  app.get('/rename', { schema: { hide: true, querystring }, onRequest }, async (request, reply) => {
    const { name } = request.query
    if (!name.endsWith('/')) {
      await store.stat(identityOf(request), name, abortOnClose(reply.raw))
    }
    const to = bareName(name)
    return views.send(request, reply, { kind: 'rename', name, to, isTaken: false })
  })

  app.post(
    '/rename',
    { schema: { hide: true, querystring, body }, onRequest, bodyLimit: BODY_LIMIT_BYTES },
    async (request, reply) => {
      const { name } = request.query
      const { to, replace } = request.body
      const signal = abortOnClose(reply.raw)
      const identity = identityOf(request)
      const isReplacing = replace !== undefined
      try {
        if (name.endsWith('/')) {
          const folder = { folder: name, to: folderPrefix(to), isReplacing, signal }
          await store.moveFolder(identity, folder)
        } else await store.move(identity, { name, to, isReplacing, signal })
      } catch (error) {
        const isAskedAgain =
          error instanceof DfsError && ['NAME_EXISTS', 'NAME_INVALID'].includes(error.code)
        if (!isAskedAgain) throw error
        const isTaken = error.code === 'NAME_EXISTS'
        reply.code(isTaken ? 412 : 400)
        const notice = { kind: 'bad' as const, text: error.message }
        return views.send(request, reply, { kind: 'rename', name, to, isTaken, notice })
      }
      const told = { name: shortName(bareName(name)), to: shortName(bareName(to)) }
      request.session.set('notice', { kind: 'renamed', ...told })
      return views.sendToFolder(reply, pages.folderOf(bareName(to)))
    },
  )
}

/** A folder's name without the slash at its end. */
function bareName(name: string): string {
  return name.endsWith('/') ? name.slice(0, -1) : name
}
