// Who is asking: a person with a browser, or a program. Pure functions over header fields.
import type { IncomingHttpHeaders } from 'node:http'

/** Whether the answer should be a page: HTML is named, and no less wanted than JSON. */
export function prefersHtml(headers: IncomingHttpHeaders): boolean {
  const accept = headers.accept ?? ''
  const html = Math.max(weight(accept, 'text/html'), weight(accept, 'application/xhtml+xml'))
  const json = Math.max(
    weight(accept, 'application/json'),
    weight(accept, 'application/problem+json'),
  )
  return html > 0 && html >= json
}

/**
 * Whether a browser asks, be it for a page, a picture or a script's data. A browser that is
 * answered `WWW-Authenticate: Basic` opens a window of its own, over our page.
 */
export function isBrowser(headers: IncomingHttpHeaders): boolean {
  return (
    prefersHtml(headers) ||
    headers['sec-fetch-mode'] !== undefined ||
    (headers['user-agent'] ?? '').startsWith('Mozilla/')
  )
}

/** Whether one object a line is wanted rather than one document. */
export function prefersLines(headers: IncomingHttpHeaders): boolean {
  const accept = headers.accept ?? ''
  const lines = weight(accept, 'application/x-ndjson')
  return lines > 0 && lines >= weight(accept, 'application/json')
}

/** Whether an answer may come compressed by gzip (RFC 9110 section 12.5.3). */
export function takesGzip(headers: IncomingHttpHeaders): boolean {
  return weight(String(headers['accept-encoding'] ?? ''), 'gzip') > 0
}

/**
 * The weight (RFC 9110 section 12.4.2) of a type or coding that is named as such; wildcards name
 * nothing.
 */
function weight(accept: string, type: string): number {
  for (const item of accept.split(',')) {
    const [name = '', ...parameters] = item.split(';').map((text) => text.trim().toLowerCase())
    if (name !== type) continue
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    const value = q === undefined ? 1 : Number(q.slice(2))
    return value >= 0 && value <= 1 ? value : 0
  }
  return 0
}
