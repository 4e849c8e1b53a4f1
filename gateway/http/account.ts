// A user's own account: changing the password, as JSON or by the form of the page. Who does it
// stays signed in; every other sign-in with the old password ends, since the nodes no longer take
// its proofs.
import formbody from '@fastify/formbody'
import { DfsError, type Static, Type } from '@fourfold/storage-node/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Store } from '../dfs/store.ts'
import { prefersHtml } from './accept.ts'
import type { App } from './app.ts'
import { identityOf, rememberIdentity } from './auth.ts'
import { passwordSchema, problemResponses } from './schemas.ts'
import type { Views } from './views.ts'

const BODY_LIMIT_BYTES = 64 * 1024
const REPEATED_WRONGLY = 'The two new passwords are not the same.'

export interface AccountOptions {
  store: Store
  views: Views
  requireUser: (request: FastifyRequest) => Promise<void>
}

export async function accountRoutes(app: App, options: AccountOptions): Promise<void> {
  const { views, requireUser } = options
  await app.register(formbody, { bodyLimit: BODY_LIMIT_BYTES })

  app.get('/account', { schema: { hide: true }, onRequest: requireUser }, async (request, reply) =>
    views.send(request, reply, { kind: 'account' }),
  )

  app.post(
    '/account/password',
    {
      onRequest: requireUser,
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        summary: 'Change the password; all other sign-ins of the user end.',
        body: passwordSchema,
        response: { 204: Type.Null(), ...problemResponses },
      },
    },
    async (request, reply) => {
      const isForm = prefersHtml(request.headers)
      try {
        await change(request, options)
      } catch (error) {
        if (!isForm || !isTypo(error)) throw error
        return answerTypo(request, reply, { error, views })
      }
      if (!isForm) return reply.code(204).send(null)
      request.session.set('notice', { kind: 'password' })
      return views.sendToFolder(reply, '')
    },
  )
}

/** @throws DfsError PASSWORD_WRONG, PASSWORD_INVALID, and what the store throws */
async function change(request: FastifyRequest, { store }: AccountOptions): Promise<void> {
  const { current, next, again } = request.body as Static<typeof passwordSchema>
  if (again !== undefined && again !== next) {
    throw new DfsError('PASSWORD_INVALID', REPEATED_WRONGLY)
  }
  const { user } = identityOf(request)
  const address = request.ip
  try {
    const identity = await store.accounts.changePassword({
      ...{ user, oldPassword: current, newPassword: next, address },
    })
    if (request.signedIn?.by === 'cookie') rememberIdentity(request, identity)
  } catch (cause) {
    // Not AUTH_FAILED: the sign-in is right, only what was typed is wrong.
    if (!(cause instanceof DfsError) || cause.code !== 'AUTH_FAILED') throw cause
    throw new DfsError('PASSWORD_WRONG', 'The current password is wrong.', { cause })
  }
}

function isTypo(error: unknown): error is DfsError {
  return error instanceof DfsError && ['PASSWORD_WRONG', 'PASSWORD_INVALID'].includes(error.code)
}

/** The form again, with what is wrong. */
function answerTypo(
  request: FastifyRequest,
  reply: FastifyReply,
  { error, views }: { error: DfsError; views: Views },
): FastifyReply {
  reply.code(error.code === 'PASSWORD_WRONG' ? 403 : 400)
  const notice = { kind: 'bad' as const, text: error.message }
  return views.send(request, reply, { kind: 'account', notice })
}
