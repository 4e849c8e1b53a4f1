// A site for browser tests: a real cluster with one gateway and one user, whose files can be put in
// place without a browser, and whose nodes can be taken away so that the gateway has noticed.
import { once } from 'node:events'
import { request } from 'undici'
import type { Identity } from '../../gateway/dfs/identity.ts'
import type { Store } from '../../gateway/dfs/store.ts'
import { type ClusterOptions, startCluster, type TestCluster } from './cluster.ts'
import { streamed } from './content.ts'

export const USER = 'alice'
export const PASSWORD = 'correct horse'

const ALL_NODES = [1, 2, 3, 4]
/** How long a gateway may take to notice a node that went or came. */
const NOTICE_TIMEOUT_MS = 30_000

export interface Site extends AsyncDisposable {
  cluster: TestCluster
  store: Store
  identity: Identity
  /** Address of the gateway, without a slash at its end. */
  url: string
  put(name: string, bytes: Uint8Array, more?: { type?: string; modifiedMs?: number }): Promise<void>
  /** Kills these nodes (1..4), runs `act` once the gateway knows, and starts them again. */
  withDown(numbers: readonly number[], act: () => Promise<void>): Promise<void>
}

export async function startSite(options: ClusterOptions = {}): Promise<Site> {
  const cluster = await startCluster({ gateways: 1, ...options })
  try {
    await cluster.addUser(USER, PASSWORD)
    const store = await cluster.store()
    const identity = await store.signIn({ user: USER, password: PASSWORD, address: 'test' })
    const url = cluster.urls[0]!
    await untilGatewaySees(url, ALL_NODES)
    return {
      cluster,
      store,
      identity,
      url,
      async put(name, bytes, more = {}) {
        await store.upload(identity, { name, source: streamed(bytes), ...more })
      },
      async withDown(numbers, act) {
        const left = ALL_NODES.filter((number) => !numbers.includes(number))
        await Promise.all(numbers.map((number) => cluster.nodes[number - 1]!.kill()))
        try {
          await untilGatewaySees(url, left)
          await act()
        } finally {
          await Promise.all(numbers.map((number) => cluster.nodes[number - 1]!.start()))
          await untilGatewaySees(url, ALL_NODES)
          await cluster.whenUp(store, ALL_NODES)
        }
      },
      [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
    }
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

/** Follows the gateway's own events until exactly these nodes (1..4) are up for it. */
async function untilGatewaySees(url: string, numbers: readonly number[]): Promise<void> {
  const wanted = ALL_NODES.map((number) => (numbers.includes(number) ? 'up' : 'not up')).join()
  const credentials = Buffer.from(`${USER}:${PASSWORD}`).toString('base64')
  const { body } = await request(`${url}/events`, {
    headers: { authorization: `Basic ${credentials}` },
    signal: AbortSignal.timeout(NOTICE_TIMEOUT_MS),
  })
  body.setEncoding('utf8')
  let text = ''
  for await (const part of body) {
    text += part
    const events = [...text.matchAll(/^data: (.*)$\n\n/gm)]
    const last = events.at(-1)?.[1]
    if (last === undefined) continue
    const { nodes } = JSON.parse(last) as { nodes: { health: string }[] }
    const seen = nodes.map(({ health }) => (health === 'up' ? 'up' : 'not up')).join()
    if (seen === wanted) break
  }
  if (!body.closed) await once(body, 'close')
}
