// The HTML pages at `/` that work without scripts: sign-in, the listing, deleting. Uploads post
// to /files and sign-in to /session; what a page looks like is web's.
import fastifyStatic from '@fastify/static'
import { Type } from '@fourfold/storage-node/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Store } from '../dfs/store.ts'
import type { App } from './app.ts'
import { identityOf } from './auth.ts'
import { sendCompressed } from './compressed.ts'
import type { PageBundle } from './page-bundle.ts'
import { type ListingView, listPage } from './page-listing.ts'
import { folderPrefix } from './request-names.ts'
import { abortOnClose } from './response-body.ts'
import { HTML_TYPE, pageFile, type Views } from './views.ts'

const YEAR_MS = 365 * 24 * 3_600_000
const MAX_PAGE = 100_000
/** A notice travels in the cookie, which browsers limit to 4096 bytes. */
const MAX_NOTICE_CHARACTERS = 100

const listingQuerySchema = Type.Object({
  folder: Type.Optional(Type.String()),
  q: Type.Optional(Type.String()),
  sort: Type.Optional(Type.String()),
  dir: Type.Optional(Type.String()),
  page: Type.Optional(Type.String()),
})

export interface PageOptions {
  store: Store
  views: Views
  pages: PageBundle
  publicUrl: string
  identify: (request: FastifyRequest) => Promise<void>
  requireUser: (request: FastifyRequest) => Promise<void>
}

export async function pageRoutes(app: App, options: PageOptions): Promise<void> {
  const { store, views, pages } = options
  // All that a form here says is in its address; what it carries is read and dropped.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null))
  await app.register(fastifyStatic, {
    root: pages.assetsFolder,
    prefix: '/assets/',
    index: false,
    decorateReply: false,
    immutable: true,
    maxAge: YEAR_MS,
    preCompressed: true,
  })

  app.get('/favicon.ico', { schema: { hide: true } }, async (_request, reply) =>
    reply.redirect(pages.assets.icon, 302),
  )

  app.get(
    '/',
    { schema: { hide: true, querystring: listingQuerySchema }, onRequest: options.identify },
    async (request, reply) => {
      if (request.signedIn === null) {
        const next = `${views.base}${request.url}`
        return views.send(request, reply, { kind: 'sign-in', next, ...takeNotice(request) })
      }
      return sendListing(request, reply, viewOf(request.query), options)
    },
  )

  const deleteSchema = { hide: true, querystring: Type.Object({ name: Type.String() }) }

  app.get(
    '/delete',
    { schema: deleteSchema, onRequest: options.requireUser },
    async (request, reply) => {
      const signal = abortOnClose(reply.raw)
      const file = await store.stat(identityOf(request), request.query.name, signal)
      return views.send(request, reply, { kind: 'delete', file: pageFile(file) })
    },
  )

  app.post(
    '/delete',
    { schema: deleteSchema, onRequest: options.requireUser },
    async (request, reply) => {
      const { name } = request.query
      await store.remove(identityOf(request), { name, signal: abortOnClose(reply.raw) })
      request.session.set('notice', { kind: 'deleted', name: shortName(name) })
      return views.sendToFolder(reply, pages.folderOf(name))
    },
  )
}

async function sendListing(
  request: FastifyRequest,
  reply: FastifyReply,
  view: ListingView,
  { store, views, publicUrl }: PageOptions,
): Promise<FastifyReply> {
  const signal = abortOnClose(reply.raw)
  const identity = identityOf(request)
  const page = await listPage({ store, identity, view, signal })
  const { folder, search } = view
  const html = views.render(request, {
    kind: 'files',
    files: page.files.map(pageFile),
    folders: page.folders,
    folder,
    search,
    sort: view.sort,
    isDescending: view.isDescending,
    total: page.total,
    page: view.page,
    hasNext: page.hasNext,
    origin: publicUrl === '' ? `${request.protocol}://${request.host}` : publicUrl,
    ...takeNotice(request),
  })
  reply.type(HTML_TYPE)
  // What was looked for stands in the page.
  return search === '' ? sendCompressed(request, reply, html) : reply.send(html)
}

/** An address is typed by hand too: what makes no sense in it counts as not there. */
function viewOf(query: {
  folder?: string
  q?: string
  sort?: string
  dir?: string
  page?: string
}): ListingView {
  const { sort } = query
  const page = Number(query.page ?? 1)
  return {
    folder: folderPrefix(query.folder),
    search: (query.q ?? '').trim(),
    sort: sort === 'size' || sort === 'modified' ? sort : 'name',
    isDescending: query.dir === 'desc',
    page: Number.isInteger(page) && page >= 1 && page <= MAX_PAGE ? page : 1,
  }
}

function takeNotice(request: FastifyRequest) {
  const notice = request.session.get('notice')
  if (notice === undefined) return {}
  request.session.set('notice', undefined)
  return { notice }
}

/** For a notice: a name that fits into the cookie. */
export function shortName(name: string): string {
  const characters = [...name]
  return characters.length <= MAX_NOTICE_CHARACTERS
    ? name
    : `${characters.slice(0, MAX_NOTICE_CHARACTERS).join('')}…`
}
