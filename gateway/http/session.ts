// Signing in and out for browsers: checks a name and password once and leaves an encrypted cookie
// that holds the user's keys. Nothing of a session is kept on the gateway.
import formbody from '@fastify/formbody'
import { DfsError, Type } from '@fourfold/storage-node/protocol'
import type { Identity } from '../dfs/identity.ts'
import type { Credentials } from '../dfs/sign-in.ts'
import type { Store } from '../dfs/store.ts'
import { prefersHtml } from './accept.ts'
import type { App } from './app.ts'
import { createIdentify, rememberIdentity, WRONG_CREDENTIALS } from './auth.ts'
import { requireNoForeignOrigin, requireOwnOrigin } from './origin.ts'
import { localPath } from './request-names.ts'
import { credentialsSchema, problemResponses } from './schemas.ts'
import type { Views } from './views.ts'

const BODY_LIMIT_BYTES = 64 * 1024

export interface SessionOptions {
  store: Store
  publicUrl: string
  views: Views
}

/**
 * A gateway remembers who signed in. That may be from before the password changed at another one,
 * or at another worker, and a cookie of it would open nothing.
 * @throws DfsError as `Store.signIn`
 */
async function signInAnew(store: Store, credentials: Credentials): Promise<Identity> {
  const identity = await store.signIn(credentials)
  try {
    await store.confirm(identity)
    return identity
  } catch (error) {
    if (!(error instanceof DfsError) || error.code !== 'AUTH_FAILED') throw error
    // Refused, it is remembered no longer: the nodes say what is right now.
    return await store.signIn(credentials)
  }
}

export async function sessionRoutes(app: App, options: SessionOptions): Promise<void> {
  const { store, publicUrl, views } = options
  await app.register(formbody, { bodyLimit: BODY_LIMIT_BYTES })

  app.post(
    '/session',
    {
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        summary: 'Sign in: leaves a cookie. Takes JSON or a form.',
        security: [],
        body: credentialsSchema,
        response: { 200: Type.Object({ user: Type.String() }), ...problemResponses },
      },
    },
    async (request, reply) => {
      requireNoForeignOrigin(request.headers, { publicUrl, host: request.host })
      const { user, password, next } = request.body
      const isForm = prefersHtml(request.headers)
      try {
        const identity = await signInAnew(store, { user, password, address: request.ip })
        rememberIdentity(request, identity)
        if (isForm) return reply.redirect(localPath(next, views.base), 303)
        return reply.send({ user: identity.user })
      } catch (error) {
        if (!(error instanceof DfsError) || error.code !== 'AUTH_FAILED') throw error
        if (!isForm) throw new DfsError('AUTH_FAILED', WRONG_CREDENTIALS, { cause: error })
        reply.code(401).header('www-authenticate', 'Cookie realm="Fourfold"')
        const notice = { kind: 'bad' as const, text: WRONG_CREDENTIALS }
        const page = { kind: 'sign-in' as const, next: localPath(next, views.base), lastUser: user }
        return views.send(request, reply, { ...page, notice })
      }
    },
  )

  app.delete(
    '/session',
    {
      schema: {
        summary: 'Sign out: takes the cookie away.',
        security: [],
        response: { 204: Type.Null(), ...problemResponses },
      },
      onRequest: createIdentify({ store, publicUrl }),
    },
    async (request, reply) => {
      request.session.delete()
      return reply.code(204).send(null)
    },
  )

  app.post('/sign-out', { schema: { hide: true } }, async (request, reply) => {
    requireOwnOrigin(request.headers, { publicUrl, host: request.host })
    request.session.delete()
    return views.sendToFolder(reply, '')
  })
}
