// The HTML pages that any face may have to answer with: sign-in, a message, the listing. Puts
// into each what all have in common; knows Fastify's request only as who is asking.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Page } from '../../web/page.ts'
import type { FileInfo, Store } from '../dfs/store.ts'
import type { PageBundle } from './page-bundle.ts'

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** A page without what `render` adds. */
export type PageContent = DistributiveOmit<Page, 'base' | 'assets' | 'user' | 'theme' | 'nodes'>

export interface Views {
  base: string
  send(request: FastifyRequest, reply: FastifyReply, content: PageContent): FastifyReply
  render(request: FastifyRequest, content: PageContent): string
  /** Leads a browser to the listing of a folder (303: by GET, whatever the request was). */
  sendToFolder(reply: FastifyReply, folder: string): FastifyReply
}

export const HTML_TYPE = 'text/html; charset=utf-8'

export function createViews(options: { store: Store; pages: PageBundle; base: string }): Views {
  const { store, pages, base } = options

  function render(request: FastifyRequest, content: PageContent): string {
    const nodes = store.nodes().map(({ name, health }) => ({ name, isUp: health === 'up' }))
    const user = request.signedIn?.identity.user
    const theme = themeOf(request)
    const who = user === undefined ? {} : { user }
    const frame = { base, assets: pages.assets, nodes, ...who, ...theme }
    return pages.renderPage({ ...frame, ...content })
  }

  return {
    base,
    render,
    send(request, reply, content) {
      return reply.type(HTML_TYPE).send(render(request, content))
    },
    sendToFolder(reply, folder) {
      return reply.redirect(pages.listingPath(base, { folder }), 303)
    },
  }
}

/** What the page's own switch chose; in a cookie, so that the page comes in the right colours. */
function themeOf(request: FastifyRequest): { theme?: 'light' | 'dark' } {
  // An address that the router cannot decode is refused before any hook has read the cookies.
  const theme = (request.cookies as FastifyRequest['cookies'] | undefined)?.['fourfold-theme']
  return theme === 'light' || theme === 'dark' ? { theme } : {}
}

export function pageFile(file: FileInfo) {
  const { name, sizeBytes, modifiedMs, copies, state, missingParts, missingNodes } = file
  return { name, sizeBytes, modifiedMs, copies, state, missingParts, missingNodes }
}
