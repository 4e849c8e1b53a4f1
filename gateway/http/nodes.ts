// What is known of the four nodes: once as JSON, or as server-sent events while a page is open.
// And whether this gateway lives and can serve, for whoever watches over it.
import type { ServerResponse } from 'node:http'
import { DfsError, Type } from '@fourfold/storage-node/protocol'
import type { FastifyRequest } from 'fastify'
import type { Identity } from '../dfs/identity.ts'
import type { NodeState, Store } from '../dfs/store.ts'
import type { App } from './app.ts'
import { identityOf } from './auth.ts'
import { nodesJson, nodesSchema } from './node-json.ts'
import { problemResponses } from './schemas.ts'

const MAX_LISTENERS = 256
/** Shorter than the idle limits of usual proxies (60 s). */
const HEARTBEAT_MS = 15_000
/** How often the nodes are asked for their figures while somebody listens. */
const LOOK_MS = 2000
/** A listener that has not taken this much is gone. */
const MAX_UNSENT_BYTES = 64 * 1024

export interface NodeOptions {
  store: Store
  requireUser: (request: FastifyRequest) => Promise<void>
}

export async function nodeRoutes(app: App, { store, requireUser }: NodeOptions): Promise<void> {
  /** Nothing else here asks a node with the user's proof: it may be of an old password. */
  const confirmUser = async (request: FastifyRequest) => {
    await requireUser(request)
    await store.confirm(identityOf(request))
  }

  app.get(
    '/nodes',
    {
      onRequest: confirmUser,
      schema: {
        summary: 'State of the four nodes.',
        response: { 200: nodesSchema, ...problemResponses },
      },
    },
    async (_request, reply) => {
      const nodes = await store.nodesWithDisk()
      return reply.send(nodesJson(nodes))
    },
  )

  const events = createEvents(store)
  app.addHook('preClose', async () => events.close())
  app.get(
    '/events',
    {
      onRequest: confirmUser,
      // A HEAD would wait for an end that never comes.
      exposeHeadRoute: false,
      schema: {
        summary: 'Server-sent events, now and at each change: `cluster` and `files`.',
        description:
          'The data of `cluster` is what GET /nodes answers. A change is one of health, room, ' +
          'what is stored, repair or scrub; changes within two seconds may come as one event. ' +
          'That of `files` is the `change` of GET /files.',
        response: { 200: { description: 'text/event-stream' }, ...problemResponses },
      },
    },
    async (request, reply) => {
      events.requirePlace()
      reply.hijack()
      events.add(reply.raw, identityOf(request))
      return reply
    },
  )

  const open = { security: [] }
  app.get(
    '/healthz',
    {
      schema: {
        summary: 'The process is alive.',
        ...open,
        response: { 200: Type.Object({ status: Type.String() }) },
      },
    },
    async (_request, reply) => reply.send({ status: 'ok' }),
  )

  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Files can be read; `uploads` says whether they can also be stored.',
        ...open,
        response: {
          200: Type.Object({ reading: Type.Boolean(), uploads: Type.Boolean(), nodes: nodeHealth }),
          ...problemResponses,
        },
      },
    },
    async (_request, reply) => {
      const nodes = store.nodes()
      requireReading(nodes)
      const body = {
        reading: true,
        uploads: nodes.every(({ health, isFull }) => health === 'up' && isFull !== true),
        nodes: nodes.map(({ name, health }) => ({ name, health })),
      }
      return reply.send(body)
    },
  )
}

const nodeHealth = Type.Array(Type.Object({ name: Type.String(), health: Type.String() }))

/** Each part is on two neighbours: while no two neighbours are down, every file can be read. */
export function canRead(nodes: readonly Pick<NodeState, 'health'>[]): boolean {
  return nodes.every((node, index) => {
    const next = nodes[(index + 1) % nodes.length]!
    return node.health === 'up' || next.health === 'up'
  })
}

function requireReading(nodes: readonly NodeState[]): void {
  if (canRead(nodes)) return
  const down = nodes.filter(({ health }) => health !== 'up').map(({ name }) => name)
  const message = 'Two neighbouring nodes or more are not answering; files cannot be read.'
  throw new DfsError('PARTS_UNAVAILABLE', message, { detail: { nodes: down } })
}

/** All open event streams. One subscription to the store and one timer serve them. */
function createEvents(store: Store) {
  const listeners = new Set<ServerResponse>()
  const stop = store.onNodesChange((nodes) => broadcast(eventOf(nodes)))
  const heartbeat = setInterval(() => broadcast(': beat\n\n'), HEARTBEAT_MS)
  heartbeat.unref()
  const look = setInterval(() => void tellFigures(), LOOK_MS)
  look.unref()
  let told = ''

  /** Repair and scrub go on without any change of health: they are looked at. */
  async function tellFigures(): Promise<void> {
    if (listeners.size === 0) return
    const nodes = await store.nodesWithDisk()
    const now = JSON.stringify(nodes.map(({ latencyMs, freeBytes, ...rest }) => rest))
    if (now !== told) broadcast(eventOf(nodes))
    told = now
  }

  function broadcast(text: string): void {
    for (const response of listeners) send(response, text)
  }

  function send(response: ServerResponse, text: string): void {
    if (response.writableLength > MAX_UNSENT_BYTES) response.destroy()
    else response.write(text)
  }

  return {
    /** @throws DfsError BUSY */
    requirePlace(): void {
      if (listeners.size < MAX_LISTENERS) return
      throw new DfsError('BUSY', `${MAX_LISTENERS} listeners follow the nodes already.`)
    },
    add(response: ServerResponse, identity: Identity): void {
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        // nginx would gather events before it passes them on.
        'x-accel-buffering': 'no',
      })
      response.write(eventOf(store.nodes()))
      listeners.add(response)
      const stopWatching = store.watchFiles(identity, {
        listener: (change) => send(response, fileEventOf(change)),
        onEnd: () => response.end(),
      })
      response.once('close', () => {
        listeners.delete(response)
        stopWatching()
      })
      response.on('error', () => {})
    },
    close(): void {
      stop()
      clearInterval(heartbeat)
      clearInterval(look)
      for (const response of listeners) response.end()
    },
  }
}

function eventOf(nodes: NodeState[]): string {
  return `event: cluster\ndata: ${JSON.stringify(nodesJson(nodes))}\n\n`
}

function fileEventOf(change: string): string {
  return `event: files\ndata: ${JSON.stringify({ change })}\n\n`
}
