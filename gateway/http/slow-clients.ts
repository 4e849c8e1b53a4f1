// Connections that cost something and bring nothing: heads that never end, bodies that nobody reads
// and nobody ends, answers that are not taken. Each has a limit here, and where connections become
// scarce, those that carry no request make room for new ones. Transfers are watched elsewhere.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { rawProblem } from './problem.ts'

/** A body that the framework reads is a form or some JSON: 64 KiB at most. */
const SMALL_BODY_TIMEOUT_MS = 20_000
/** What may still come of a request after its answer is out. */
const REST_TIMEOUT_MS = 15_000
/** An answer that is whole and handed over, listings of megabytes included. */
const FLUSH_TIMEOUT_MS = 300_000
/** The share of the connections from which on idle ones make room. */
const SHED_SHARE = 7 / 8

export interface Watch {
  /** A request has a whole head: its connection is no longer idle until the answer is out. */
  onRequest(request: IncomingMessage, response: ServerResponse): void
}

/**
 * Watches all connections of `server`, of which there may be `maxConnections`; Node closes those
 * above at once.
 */
export function watchConnections(server: Server, maxConnections: number): Watch {
  /** Connections that carry no request, the one that has been so for longest first. */
  const idle = new Set<Socket>()
  let openCount = 0

  server.on('connection', (socket: Socket) => {
    openCount++
    if (openCount > maxConnections * SHED_SHARE) idle.values().next().value?.destroy()
    idle.add(socket)
    socket.once('close', () => {
      openCount--
      idle.delete(socket)
    })
  })

  return {
    onRequest(request, response) {
      const { socket } = request
      idle.delete(socket)
      const timers: NodeJS.Timeout[] = []
      response.once('prefinish', () => {
        timers.push(setTimeout(() => socket.destroy(), FLUSH_TIMEOUT_MS))
      })
      response.once('finish', () => {
        for (const timer of timers) clearTimeout(timer)
        if (socket.destroyed) return
        idle.add(socket)
        if (request.complete) return
        const rest = setTimeout(() => socket.destroy(), REST_TIMEOUT_MS)
        request.once('end', () => clearTimeout(rest)).once('close', () => clearTimeout(rest))
      })
      response.once('close', () => {
        for (const timer of timers) clearTimeout(timer)
      })
    },
  }
}

/** Answers 408 and closes where a body that the framework reads does not arrive in time. */
export function limitSmallBody(request: IncomingMessage): void {
  const { socket } = request
  if (request.complete) return
  const timer = setTimeout(() => {
    if (request.complete || socket.destroyed) return
    socket.end(rawProblem('ERR_HTTP_REQUEST_TIMEOUT'), () => socket.destroy())
  }, SMALL_BODY_TIMEOUT_MS)
  request.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer))
}
