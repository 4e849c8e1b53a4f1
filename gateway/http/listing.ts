// GET /files: a page of the listing, a window into it, what changed since another listing, or all
// of it as a stream of lines.
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Identity } from '../dfs/identity.ts'
import type { FolderInfo, Listing, ListQuery, Store } from '../dfs/store.ts'
import { prefersHtml, prefersLines } from './accept.ts'
import type { App } from './app.ts'
import { identityOf } from './auth.ts'
import { sendCompressed } from './compressed.ts'
import { judgeRead } from './conditions.ts'
import { fileLines } from './file-lines.ts'
import type { Patience } from './patience.ts'
import { abortOnClose } from './response-body.ts'
import {
  changesJson,
  folderJson,
  type ListQuerystring,
  listingJson,
  listingSchema,
  listQuerySchema,
  problemResponses,
} from './schemas.ts'
import type { Views } from './views.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const LINES_TYPE = 'application/x-ndjson; charset=utf-8'
/** Rows that are in memory at once while all are streamed; the nodes are asked before each. */
const STREAM_ROWS = 10_000
/** Rows that are written at once, so that others get their turn. */
const WRITE_ROWS = 1000

export interface ListingOptions {
  store: Store
  views: Views
  patience: Patience
}

export function listingRoute(app: App, { store, views, patience }: ListingOptions): void {
  app.get(
    '/files',
    {
      schema: {
        summary:
          'List files. `Accept: application/x-ndjson` streams all: one object a line, the first with `total` and `change`.',
        querystring: listQuerySchema,
        response: { 200: listingResponse, ...problemResponses },
      },
    },
    async (request, reply) => {
      if (prefersHtml(request.headers)) return views.sendToFolder(reply, '')
      const identity = identityOf(request)
      const { since } = request.query
      const signal = abortOnClose(reply.raw)
      if (since !== undefined) {
        const changes = await store.changes(identity, { since, signal })
        return sendJson(request, reply, changesJson(changes))
      }
      const query = queryOf(request.query, signal)
      if (prefersLines(request.headers)) {
        const first = await store.list(identity, { ...query, limit: STREAM_ROWS })
        hangUpOnStall(reply, patience.stallTimeoutMs)
        return sendLines(reply, lines({ store, identity, query, first }))
      }
      return sendListing(request, reply, await store.list(identity, query))
    },
  )
}

/** Written by JSON.stringify, so this is for /openapi.json alone. */
const listingResponse = {
  description: 'A page; with `since`, what changed.',
  content: {
    'application/json': { schema: listingSchema },
  },
}

function queryOf(query: ListQuerystring, signal: AbortSignal): ListQuery {
  const { order, since: _, ...rest } = query
  return { ...rest, isDescending: order === 'desc', signal }
}

/** RFC 9110 section 8.8.1: weak, for the same files may be written in other bytes. */
function sendListing(request: FastifyRequest, reply: FastifyReply, listing: Listing) {
  reply.header('etag', `W/"${listing.change}"`)
  const { 'if-none-match': ifNoneMatch } = request.headers
  const tag = { md5: listing.change, modifiedMs: Date.now() }
  const verdict = judgeRead({ 'if-none-match': ifNoneMatch }, tag)
  if (verdict === 'not-modified') return reply.code(304).send()
  return sendJson(request, reply, listingJson(listing))
}

function sendJson(request: FastifyRequest, reply: FastifyReply, value: object) {
  return sendCompressed(request, reply.type(JSON_TYPE), JSON.stringify(value))
}

function sendLines(reply: FastifyReply, source: AsyncIterable<string | Buffer>) {
  return reply.type(LINES_TYPE).send(Readable.from(source))
}

async function* lines(options: {
  store: Store
  identity: Identity
  query: ListQuery
  first: Listing
}): AsyncGenerator<string | Buffer> {
  const { store, identity, query, first } = options
  const { files: _files, folders: _folders, next: _next, ...head } = listingJson(first)
  yield `${JSON.stringify(head)}\n`
  for (let page = first; ; ) {
    const { folders, files } = page
    if (folders.length > 0) yield folders.map(folderLine).join('')
    for (let from = 0; from < files.length; from += WRITE_ROWS) {
      yield fileLines(files.slice(from, from + WRITE_ROWS))
    }
    if (page.next === undefined) return
    const { from: _from, ...rest } = query
    page = await store.list(identity, { ...rest, limit: STREAM_ROWS, cursor: page.next })
  }
}

function folderLine(folder: FolderInfo): string {
  return `${JSON.stringify(folderJson(folder))}\n`
}

/** A reader that takes nothing for so long holds memory for nobody. */
function hangUpOnStall(reply: FastifyReply, stallTimeoutMs: number): void {
  const { socket } = reply.raw
  const onStall = () => reply.raw.destroy()
  socket?.setTimeout(stallTimeoutMs)
  socket?.on('timeout', onStall)
  reply.raw.once('close', () => {
    socket?.setTimeout(0)
    socket?.off('timeout', onStall)
  })
}
