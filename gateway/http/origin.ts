// Whether a request that changes something comes from our own page, for those that a cookie signs
// in: another site can make a browser send it, but cannot forge where it comes from. Pure.
import type { IncomingHttpHeaders } from 'node:http'
import { DfsError } from '@fourfold/storage-node/protocol'

export interface OwnAddress {
  /** conf gateway.public_url; empty: as the Host field says. */
  publicUrl: string
  /** Host as the client addressed it (behind a trusted proxy: as the proxy says). */
  host: string
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function isUnsafe(method: string): boolean {
  return !SAFE_METHODS.has(method)
}

/**
 * Sec-Fetch-Site where the browser sends it, else Origin, else Referer. A browser sends at least
 * one of them with every unsafe request; one without any is refused.
 * @throws DfsError ORIGIN_REFUSED
 */
export function requireOwnOrigin(headers: IncomingHttpHeaders, own: OwnAddress): void {
  if (!isOwnOrigin(headers, own)) {
    throw new DfsError(
      'ORIGIN_REFUSED',
      'This request does not come from the page of this gateway.',
    )
  }
}

/**
 * For sign-in: no cookie speaks yet, so a request of a program, which names no origin, may pass.
 */
export function requireNoForeignOrigin(headers: IncomingHttpHeaders, own: OwnAddress): void {
  const namesOrigin =
    headers['sec-fetch-site'] !== undefined ||
    headers.origin !== undefined ||
    headers.referer !== undefined
  if (namesOrigin) requireOwnOrigin(headers, own)
}

function isOwnOrigin(headers: IncomingHttpHeaders, own: OwnAddress): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const source = headers.origin ?? headers.referer
  if (source === undefined) return false
  const url = URL.parse(source)
  if (url === null) return false
  if (own.publicUrl !== '') return url.origin === new URL(own.publicUrl).origin
  return url.host === own.host.toLowerCase()
}
