// A site for browser tests: a real cluster with one gateway and one user, whose files can be put in
// place without a browser, and whose nodes can be taken away so that the gateway has noticed.
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
    const gateway = await followNodes(url)
    await gateway.sees(ALL_NODES)
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
          await gateway.sees(left)
          await act()
        } finally {
          await Promise.all(numbers.map((number) => cluster.nodes[number - 1]!.start()))
          await gateway.sees(ALL_NODES)
          await cluster.whenUp(store, ALL_NODES)
        }
      },
      async [Symbol.asyncDispose]() {
        gateway.close()
        await cluster[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

/** The nodes as the gateway tells of them in its own events, from now to `close`. */
async function followNodes(url: string) {
  const credentials = Buffer.from(`${USER}:${PASSWORD}`).toString('base64')
  const headers = { authorization: `Basic ${credentials}` }
  const { body } = await request(`${url}/events`, { headers, bodyTimeout: 0 })
  body.setEncoding('utf8')
  let seen = ''
  let text = ''
  const watchers = new Set<() => void>()
  const wake = () => {
    for (const watcher of watchers) watcher()
  }
  body.on('data', (part: string) => {
    text += part
    const events = text.split('\n\n')
    text = events.pop()!
    for (const event of events) {
      // Events of other kinds tell of files.
      const data = /^event: cluster\ndata: (.*)$/m.exec(event)?.[1]
      if (data !== undefined) seen = upText(data)
    }
    wake()
  })
  body.on('error', () => {})
  return {
    /** Waits until exactly these nodes (1..4) are up for the gateway. */
    sees(numbers: readonly number[]): Promise<void> {
      return new Promise((resolve, reject) => {
        const check = () => {
          if (seen !== numbers.join()) return
          clearTimeout(timer)
          watchers.delete(check)
          resolve()
        }
        const timer = setTimeout(() => {
          watchers.delete(check)
          reject(new Error(`the gateway was to see ${numbers} up, not ${seen}`))
        }, NOTICE_TIMEOUT_MS)
        watchers.add(check)
        check()
      })
    },
    close: () => body.destroy(),
  }
}

/** `{"nodes":[…]}` as the numbers of those that are up, like `1,2,4`. */
function upText(data: string): string {
  const { nodes } = JSON.parse(data) as { nodes: { health: string }[] }
  return ALL_NODES.filter((number) => nodes[number - 1]?.health === 'up').join()
}
