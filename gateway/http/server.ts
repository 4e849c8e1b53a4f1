// The HTTP server below Fastify: its limits, `Expect: 100-continue`, and bytes that are no HTTP.
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { toFailure, toProblem } from './errors.ts'
import { PROBLEM_TYPE, rawProblem } from './problem.ts'
import { limitSmallBody, watchConnections } from './slow-clients.ts'

/** Until the head of a request is complete. */
const HEADERS_TIMEOUT_MS = 20_000
const KEEP_ALIVE_TIMEOUT_MS = 65_000
/** Names of 1 KiB, a cookie of 4 KiB and what proxies add. */
const MAX_HEADER_BYTES = 32 * 1024
const MAX_HEADERS = 100
/** Those above are closed at once; each costs a descriptor and some memory. */
const MAX_CONNECTIONS = 4096
/** How often the timeout above is looked at. */
const CHECK_EVERY_MS = 2_000

/** Requests whose client waits for `100 Continue`. */
const expecting = new WeakSet<IncomingMessage>()

/** The answer under way on each connection. */
const answering = new WeakMap<Socket, ServerResponse>()

/** Fastify's `serverFactory`. */
export function createHttpServer(handler: RequestListener): Server {
  const server = createServer({
    // A body may take as long as it moves; request-body.ts cuts one that stands still.
    requestTimeout: 0,
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    connectionsCheckingInterval: CHECK_EVERY_MS,
  })
  server.maxHeadersCount = MAX_HEADERS
  server.maxConnections = MAX_CONNECTIONS
  const watch = watchConnections(server, MAX_CONNECTIONS)
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    answering.set(request.socket, response)
    watch.onRequest(request, response)
    handler(request, response)
  }
  server.on('request', serve)
  server.on('checkContinue', (request, response) => {
    expecting.add(request)
    serve(request, response)
  })
  server.on('checkExpectation', refuseExpectation)
  return server
}

/** RFC 9110 section 10.1.1: what else is expected cannot be promised. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const detail = { httpStatus: 417 }
  const message = 'The one expectation that is met here is 100-continue.'
  const failure = toFailure(new DfsError('BAD_REQUEST', message, { detail }))
  response.writeHead(failure.status, { 'content-type': PROBLEM_TYPE, connection: 'close' })
  response.end(JSON.stringify(toProblem(failure)))
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The handler reads the body itself, and calls `askForBody` when it begins. */
    isStreamed?: boolean
  }
}

/**
 * Tells a client that waits to be told to send its body (RFC 9110 section 10.1.1). One whose
 * request is refused before keeps its body.
 */
export function askForBody(request: FastifyRequest, reply: FastifyReply): void {
  if (expecting.delete(request.raw)) reply.raw.writeContinue()
}

/** A preParsing hook: every onRequest hook has passed, and the framework will read the body now. */
export async function sendContinue(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (request.routeOptions.config.isStreamed === true) return
  askForBody(request, reply)
  limitSmallBody(request.raw)
}

/**
 * Answers bytes that the HTTP parser refused. A request before them that arrived whole keeps its
 * answer and the connection ends after it; one that was cut short is told so, unless that would
 * spoil an answer that is under way.
 */
export function answerBadBytes(error: NodeJS.ErrnoException, socket: Socket): void {
  const response = answering.get(socket)
  const isAnswering = response !== undefined && !response.writableFinished && !response.destroyed
  if (isAnswering && response.req.complete && error.code !== 'ECONNRESET') {
    response.shouldKeepAlive = false
    response.once('finish', () => socket.destroySoon())
    return
  }
  if (error.code === 'ECONNRESET' || !socket.writable || (isAnswering && response.headersSent)) {
    socket.destroy()
    return
  }
  socket.end(rawProblem(error.code), () => socket.destroy())
}
