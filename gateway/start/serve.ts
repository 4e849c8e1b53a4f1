// One process of the gateway: store, app and listening, and how all of that is stopped. Knows no
// signals and no other processes.
import { join, resolve } from 'node:path'
import { type DfcConf, readClusterKey } from '@fourfold/conf'
import { DfsError } from '@fourfold/storage-node/protocol'
import { saveCompileCache } from '../../conf/compile-cache.js'
import { createStore } from '../dfs/create-store.ts'
import type { Turns } from '../dfs/throttle.ts'
import { type App, createApp } from '../http/app.ts'
import { basePath } from '../http/base-path.ts'
import { loadPageBundle } from '../http/page-bundle.ts'
import { loadSessionKey } from '../http/session-key.ts'
import { createGatewayLog } from './log.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** What requests under way get to finish when it stops. */
const STOP_TIMEOUT_MS = 10_000
const SWEEP_EVERY_MS = 50

export interface ServeOptions {
  conf: DfcConf
  /** The least level of the log. */
  level: string
  /** Whose turn it is to try a password, where other processes have a say in it. */
  turns?: Turns
}

export interface Served {
  /** The address to open, e.g. `http://127.0.0.1:8080`. */
  address: string
  /** Serves what is under way, at most 10 s, and ends. */
  stop(): Promise<void>
}

/** Listens. @throws DfsError PORT_IN_USE, CONF_INVALID */
export async function serve({ conf, level, turns }: ServeOptions): Promise<Served> {
  const logger = createGatewayLog({ level })
  const { host, port, data, public_url: publicUrl } = conf.gateway
  const sessionKey = await loadSessionKey(data)
  const pages = await loadPageBundle(resolve(ROOT, 'web/dist'), basePath(publicUrl))
  const clusterKey = readClusterKey(conf.cluster_key_file)
  const store = createStore({
    conf,
    ...(clusterKey === undefined ? {} : { clusterKey }),
    ...(turns === undefined ? {} : { turns }),
    snapshots: { folder: join(data, 'listings') },
    log: (line) => logger.warn(line),
  })
  try {
    await store.ready()
    const app = await createApp({ store, conf, sessionKey, pages, logger })
    const address = await listen(app, host, port)
    saveCompileCache()
    return {
      address,
      async stop() {
        await closeWithin(app, STOP_TIMEOUT_MS)
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** The address to open, e.g. `http://127.0.0.1:8080`. @throws DfsError PORT_IN_USE, CONF_INVALID */
async function listen(app: App, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') {
      const message = `Port ${port} on ${host} is taken by another program.`
      throw new DfsError('PORT_IN_USE', message, { cause })
    }
    const message = `The gateway cannot listen on ${host}, port ${port} (${code}).`
    throw new DfsError('CONF_INVALID', message, { cause })
  }
  const bound = app.server.address()
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port
  // A wildcard is no address to open.
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${shown.includes(':') ? `[${shown}]` : shown}:${boundPort}`
}

/** No new requests; those under way have `limitMs`, then their connections are cut. */
async function closeWithin(app: App, limitMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), limitMs)
  // Node closes the connections that are idle now; those that become so are looked for.
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_EVERY_MS)
  await app.close()
  clearTimeout(timer)
  clearInterval(sweep)
}
