// Who is asking, on every request: the name and password of Basic auth (RFC 7617), or the cookie
// that a sign-in left. Puts `signedIn` on the request. Whether they are right is the store's to
// say.
import { isUtf8 } from 'node:buffer'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { FastifyRequest } from 'fastify'
import type { PageNotice } from '../../web/page.ts'
import { exportIdentity, type Identity, importIdentity } from '../dfs/identity.ts'
import type { Store } from '../dfs/store.ts'
import { isUnsafe, requireOwnOrigin } from './origin.ts'

export interface SignedIn {
  identity: Identity
  by: 'password' | 'cookie'
}

declare module 'fastify' {
  interface FastifyRequest {
    signedIn: SignedIn | null
  }
}

declare module '@fastify/secure-session' {
  interface SessionData {
    /** `exportIdentity`, base64. */
    identity: string
    /** Shown once on the next page: what a form did. */
    notice: PageNotice
  }
}

export interface AuthOptions {
  store: Store
  publicUrl: string
}

/** The sentence of web.md for a wrong name or password; which of the two stays unsaid. */
export const WRONG_CREDENTIALS = "That name and password don't match."

/**
 * An onRequest hook that sets `signedIn` where credentials are given and leaves it null where
 * none are.
 * @throws DfsError AUTH_FAILED, AUTH_THROTTLED, ORIGIN_REFUSED, BAD_REQUEST, NODES_UNAVAILABLE,
 *   BUSY
 */
export function createIdentify({ store, publicUrl }: AuthOptions) {
  return async function identify(request: FastifyRequest): Promise<void> {
    const credentials = basicCredentials(request.headers.authorization)
    if (credentials !== undefined) {
      const identity = await store.signIn({ ...credentials, address: request.ip })
      request.signedIn = { identity, by: 'password' }
      return
    }
    const identity = cookieIdentity(request)
    if (identity === undefined) return
    if (isUnsafe(request.method)) {
      requireOwnOrigin(request.headers, { publicUrl, host: request.host })
    }
    request.signedIn = { identity, by: 'cookie' }
  }
}

/**
 * An onRequest hook for doors that are open to users only.
 * @throws DfsError AUTH_REQUIRED and above
 */
export function createRequireUser(options: AuthOptions) {
  const identify = createIdentify(options)
  return async function requireUser(request: FastifyRequest): Promise<void> {
    await identify(request)
    if (request.signedIn === null) {
      throw new DfsError('AUTH_REQUIRED', 'Sign in first, or send a name and password (Basic).')
    }
  }
}

/** The identity of a request that passed `requireUser`. */
export function identityOf(request: FastifyRequest): Identity {
  if (request.signedIn === null) throw new Error('The route has no requireUser hook.')
  return request.signedIn.identity
}

export function rememberIdentity(request: FastifyRequest, identity: Identity): void {
  request.session.regenerate()
  request.session.set('identity', exportIdentity(identity).toString('base64'))
}

function cookieIdentity(request: FastifyRequest): Identity | undefined {
  const text = request.session.get('identity')
  return text === undefined ? undefined : importIdentity(Buffer.from(text, 'base64'))
}

/**
 * RFC 7617 section 2: scheme without regard to case, base64 of `user:password`; the user holds no
 * colon, the password may. Other schemes count as no credentials.
 * @throws DfsError BAD_REQUEST where the scheme is Basic and the rest is not
 */
export function basicCredentials(
  header: string | undefined,
): { user: string; password: string } | undefined {
  const match = /^basic(?: +(.*))?$/i.exec(header?.trim() ?? '')
  if (match === null) return undefined
  const [, encoded = ''] = match
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) refuseHeader()
  const text = decodeUtf8(Buffer.from(encoded, 'base64'))
  const colon = text.indexOf(':')
  if (colon < 0) refuseHeader()
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

/**
 * Older clients send Latin-1; a name or password that is no UTF-8 is read so (RFC 7617 section
 * 2.1).
 */
function decodeUtf8(bytes: Buffer): string {
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1')
}

function refuseHeader(): never {
  throw new DfsError(
    'BAD_REQUEST',
    'The Authorization header is not Basic with base64 of name:password.',
  )
}
