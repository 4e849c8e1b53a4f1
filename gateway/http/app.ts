// Puts the HTTP face together: one Fastify instance with every plugin, ready to listen, not
// listening. Assumes a store that is open; closes nothing that it did not make.
import secureSession from '@fastify/secure-session'
import swagger from '@fastify/swagger'
import type { DfcConf } from '@fourfold/conf'
import { DfsError } from '@fourfold/storage-node/protocol'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import helmet from 'helmet'
import type { Store } from '../dfs/store.ts'
import { accountRoutes } from './account.ts'
import { createIdentify, createRequireUser } from './auth.ts'
import { basePath, baseRemover } from './base-path.ts'
import { fileRoutes } from './files.ts'
import { metricsRoute } from './metrics.ts'
import { nodeRoutes } from './nodes.ts'
import { openApi } from './open-api.ts'
import type { PageBundle } from './page-bundle.ts'
import { pageRoutes } from './pages.ts'
import type { Patience } from './patience.ts'
import { answerFailure, answerFailures } from './problem.ts'
import { renameRoutes } from './rename-form.ts'
import { pagePolicy } from './security.ts'
import { answerBadBytes, createHttpServer, sendContinue } from './server.ts'
import { sessionRoutes } from './session.ts'
import { type ShapeTypeProvider, shapeValidator } from './shape-schemas.ts'
import { tusRoutes } from './tus.ts'
import { createViews } from './views.ts'
import { zipRoute } from './zip.ts'

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ShapeTypeProvider
>

export interface AppOptions {
  store: Store
  conf: Pick<DfcConf, 'gateway' | 'limits'>
  /** 32 bytes that encrypt session cookies. */
  sessionKey: Buffer
  pages: PageBundle
  /** Default: no log. */
  logger?: FastifyBaseLogger
}

/** A name is 1024 bytes; percent-encoded three times that. Longer paths only cost time. */
const MAX_PARAM_LENGTH = 8192
/** A year, for this host alone: its subdomains are not ours. */
const HSTS = { maxAge: 31_536_000, includeSubDomains: false }
const JSON_LIMIT_BYTES = 64 * 1024

export async function createApp(options: AppOptions): Promise<App> {
  const { store, conf, pages } = options
  const publicUrl = conf.gateway.public_url
  const base = basePath(publicUrl)
  const views = createViews({ store, pages, base })
  const withoutBase = baseRemover(base)
  const app: App = fastify({
    ...(options.logger === undefined ? {} : { loggerInstance: options.logger }),
    // Requests are logged by hand, without addresses: see logRequest.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: JSON_LIMIT_BYTES,
    // One hop: what a client itself says of its address counts for nothing.
    trustProxy: conf.gateway.trust_proxy ? (_address, hop) => hop === 0 : false,
    rewriteUrl: (request) => withoutBase(request.url ?? '/'),
    serverFactory: createHttpServer,
    clientErrorHandler: answerBadBytes,
    forceCloseConnections: false,
    // What arrives on an open connection while the gateway stops is served; then that ends.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors(thrown, request, reply) {
      request.signedIn = null
      // The router decodes paths before any route sees them; what it cannot decode is no name.
      const message = 'The address is not percent-encoded UTF-8.'
      const isBadUrl = thrown.code === 'FST_ERR_BAD_URL'
      const error = isBadUrl ? new DfsError('NAME_INVALID', message, { cause: thrown }) : thrown
      void answerFailure({ error, request, reply: reply as FastifyReply, views })
    },
  }).withTypeProvider<ShapeTypeProvider>()
  app.setValidatorCompiler(shapeValidator)
  app.decorateRequest('signedIn', null)
  answerFailures(app as unknown as FastifyInstance, views)

  const harden = helmet(securityHeaders(publicUrl))
  const policy = pagePolicy()
  // What users have is in nobody's cache; files and assets say otherwise themselves, and files
  // bring a stricter policy.
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.setHeader('content-security-policy', policy)
    reply.raw.setHeader('cache-control', 'no-store')
    harden(request.raw, reply.raw, (error) => done(error as Error | undefined))
  })
  await app.register(secureSession, cookieOptions(options))
  app.addHook('preParsing', sendContinue)
  app.addHook('onResponse', logRequest)
  await app.register(swagger, openApi(publicUrl))
  if (conf.gateway.metrics) await metricsRoute(app, { store })

  const auth = { store, publicUrl }
  const identify = createIdentify(auth)
  const requireUser = createRequireUser(auth)
  const patience: Patience = {
    stallTimeoutMs: conf.limits.stall_timeout_ms,
    progressBytes: conf.limits.progress_bytes,
    progressWindowMs: conf.limits.progress_window_ms,
  }
  await app.register(async (scope: App) => sessionRoutes(scope, { ...auth, views }))
  await app.register(async (scope: App) =>
    fileRoutes(scope, { store, views, patience, requireUser }),
  )
  await app.register(async (scope: App) =>
    tusRoutes(scope, { store, views, patience, requireUser }),
  )
  await app.register(async (scope: App) => zipRoute(scope, { store, patience, requireUser }))
  await app.register(async (scope: App) => nodeRoutes(scope, { store, requireUser }))
  await app.register(async (scope: App) => accountRoutes(scope, { store, views, requireUser }))
  await app.register(async (scope: App) =>
    renameRoutes(scope, { store, views, pages, requireUser }),
  )
  await app.register(async (scope: App) =>
    pageRoutes(scope, { ...auth, views, pages, identify, requireUser }),
  )
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  return app
}

function securityHeaders(publicUrl: string) {
  return {
    // Ours is set beside it.
    contentSecurityPolicy: false,
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    referrerPolicy: { policy: 'same-origin' as const },
    frameguard: { action: 'deny' as const },
    strictTransportSecurity: publicUrl.startsWith('https:') && HSTS,
  }
}

function cookieOptions({ conf, sessionKey }: AppOptions) {
  const isSecure = conf.gateway.public_url.startsWith('https:')
  const lifeSeconds = Math.ceil(conf.gateway.session_hours * 3600)
  return {
    key: sessionKey,
    cookieName: 'fourfold',
    expiry: lifeSeconds,
    cookie: {
      path: `${basePath(conf.gateway.public_url)}/`,
      httpOnly: true,
      sameSite: 'strict' as const,
      secure: isSecure,
      maxAge: lifeSeconds,
    },
  }
}

/** Method, route and outcome: no address, name or query that could tell of a file or a user. */
async function logRequest(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const route = request.routeOptions.url ?? 'nowhere'
  const ms = Math.round(reply.elapsedTime)
  request.log.info(`${request.method} ${route} ${reply.raw.statusCode} in ${ms} ms`)
}
