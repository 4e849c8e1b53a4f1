// Answers every failure: as problem+json for programs (RFC 9457), as a page for browsers. The one
// place where an error becomes an HTTP answer; what the error means is errors.ts's.
import { STATUS_CODES } from 'node:http'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { PageTask } from '../../web/page.ts'
import { isBrowser, prefersHtml } from './accept.ts'
import { WRONG_CREDENTIALS } from './auth.ts'
import { type Failure, toFailure, toProblem } from './errors.ts'
import { folderPrefix, localPath } from './request-names.ts'
import { answerAndClose, hasUnreadBody } from './response-body.ts'
import { HTML_TYPE, type Views } from './views.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** Sets the handlers of `app` for errors, unknown paths and known paths with another method. */
export function answerFailures(app: FastifyInstance, views: Views): void {
  const routes: { url: string; method: string }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    for (const name of [method].flat()) routes.push({ url, method: name })
  })
  app.setErrorHandler((error, request, reply) => answerFailure({ error, request, reply, views }))

  function nothingHere(request: FastifyRequest, reply: FastifyReply): DfsError {
    const path = request.url.split('?', 1)[0]!
    const allowed = routes.filter(({ url }) => covers(url, path)).map(({ method }) => method)
    if (allowed.length === 0) return new DfsError('NOT_FOUND', 'Nothing is at this address.')
    // RFC 9110 section 15.5.6: the answer must name the methods that are allowed.
    const allow = [...new Set(allowed)].sort().join(', ')
    reply.header('allow', allow)
    return new DfsError('METHOD_NOT_ALLOWED', `This address takes ${allow}.`)
  }

  // Before the framework would read a body, and complain of its type or length, for an address
  // that takes none.
  app.addHook('preParsing', async (request, reply) => {
    if (request.is404) throw nothingHere(request, reply)
  })
  app.setNotFoundHandler((request, reply) => {
    return answerFailure({ error: nothingHere(request, reply), request, reply, views })
  })
}

interface FailedRequest {
  error: unknown
  request: FastifyRequest
  reply: FastifyReply
  views: Views
}

export async function answerFailure(options: FailedRequest): Promise<FastifyReply> {
  const { request, reply, views } = options
  const failure = toFailure(forgetSession(options.error, request))
  logFailure(request, failure)
  const isPage = prefersHtml(request.headers)
  reply.code(failure.status).headers(failure.headers).header('cache-control', 'no-store')
  if (failure.status === 401) reply.header('www-authenticate', challenge(request))
  reply.type(isPage ? HTML_TYPE : PROBLEM_TYPE)
  const body = isPage ? failurePage(request, failure, views) : JSON.stringify(toProblem(failure))
  if (hasUnreadBody(request.raw)) {
    await answerAndClose(reply, body)
    return reply
  }
  return reply.send(body)
}

/** A cookie whose keys a node no longer takes (the password changed) is as good as none. */
function forgetSession(error: unknown, request: FastifyRequest): unknown {
  const isStale =
    request.signedIn?.by === 'cookie' && error instanceof DfsError && error.code === 'AUTH_FAILED'
  if (!isStale) return error
  request.session.delete()
  request.signedIn = null
  return new DfsError('AUTH_REQUIRED', 'This sign-in no longer holds; sign in again.', {
    cause: error,
  })
}

/**
 * RFC 9110 section 11.6.1 wants a challenge; one that browsers know would open their own window.
 */
function challenge(request: FastifyRequest): string {
  return isBrowser(request.headers)
    ? 'Cookie realm="Fourfold"'
    : 'Basic realm="Fourfold", charset="UTF-8"'
}

function failurePage(request: FastifyRequest, failure: Failure, views: Views): string {
  const { error, status } = failure
  const isSignIn = ['AUTH_REQUIRED', 'AUTH_FAILED', 'AUTH_THROTTLED'].includes(error.code)
  if (isSignIn) return views.render(request, signInPage(request, error, views.base))
  const { code, detail: text, hint, files = [] } = toProblem(failure)
  const stored = (files as { name: string }[]).map(({ name }) => name)
  const task = taskOf(request)
  return views.render(request, {
    ...{ kind: 'message', status, code, text, hint, stored },
    ...(task === undefined ? {} : { task }),
  })
}

/** What a form of the page was sent for. Its address may have failed to be valid. */
function taskOf(request: FastifyRequest): PageTask | undefined {
  if (request.method !== 'POST') return undefined
  const query = new URLSearchParams(request.url.split('?', 2)[1])
  switch (request.routeOptions.url) {
    case '/files':
      return { kind: 'upload', folder: folderPrefix(query.get('folder') ?? '') }
    case '/rename':
      return { kind: 'rename', name: query.get('name') ?? '' }
    case '/delete':
      return { kind: 'delete', name: query.get('name') ?? '' }
    default:
      return undefined
  }
}

function signInPage(request: FastifyRequest, error: DfsError, base: string) {
  const text = error.code === 'AUTH_FAILED' ? WRONG_CREDENTIALS : error.message
  const next = request.method === 'GET' ? localPath(`${base}${request.url}`, base) : `${base}/`
  const notice = { kind: 'bad' as const, text }
  return { kind: 'sign-in' as const, next, ...(error.code === 'AUTH_REQUIRED' ? {} : { notice }) }
}

/** Codes and nodes only: sentences may hold names. What is our own fault is told with its stack. */
function logFailure(request: FastifyRequest, failure: Failure): void {
  if (failure.status < 500) return
  const { error } = failure
  const { code, nodes = [] } = toProblem(failure)
  const sentence = `request failed ${[code, ...nodes].join(' ')}`
  if (code === 'INTERNAL') request.log.error({ err: error.cause ?? error }, sentence)
  else request.log.warn(sentence)
}

function covers(pattern: string, path: string): boolean {
  if (pattern.endsWith('*')) return path.startsWith(pattern.slice(0, -1))
  const segments = path.split('/')
  const wanted = pattern.split('/')
  return (
    wanted.length === segments.length &&
    wanted.every((segment, at) => segment === segments[at] || /^:./.test(segment))
  )
}

/**
 * The whole answer, head and body, to bytes that were no HTTP request, for a raw socket.
 * @param code Node's code of the parser's error
 */
export function rawProblem(code: string | undefined): string {
  const failure = toFailure(parserError(code))
  const body = JSON.stringify(toProblem(failure))
  return [
    `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}

function parserError(code: string | undefined): DfsError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': {
      const detail = { httpStatus: 431 }
      return new DfsError('TOO_LARGE', 'The head of the request is too long.', { detail })
    }
    case 'HPE_INVALID_EOF_STATE':
      return new DfsError('LENGTH_MISMATCH', 'The connection ended before the request did.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new DfsError('IDLE_TIMEOUT', 'The head of the request took too long.')
    default:
      return new DfsError('BAD_REQUEST', 'These bytes are no HTTP request.')
  }
}
