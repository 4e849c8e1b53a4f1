// The gateway as a process: arguments and conf, store, app, listening, and a clean stop on a
// signal.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type DfcConf,
  dfcConfSchema,
  loadConf,
  type Override,
  readClusterKey,
} from '@fourfold/conf'
import { codes, DfsError, toDfsError } from '@fourfold/storage-node/protocol'
import { saveCompileCache } from '../../conf/compile-cache.ts'
import { createStore } from '../dfs/create-store.ts'
import { type App, createApp } from '../http/app.ts'
import { basePath } from '../http/base-path.ts'
import { loadPageBundle } from '../http/page-bundle.ts'
import { loadSessionKey } from '../http/session-key.ts'
import { createGatewayLog } from './log.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** What requests under way get to finish after a signal. */
const STOP_TIMEOUT_MS = 10_000
const SWEEP_EVERY_MS = 50

const USAGE = `Usage: fourfold gateway [--conf FILE] [--host HOST] [--port PORT] [--data FOLDER]
         [--nodes A,B,C,D] [--cluster-key FILE] [--log LEVEL]

  --conf FILE         settings; default: conf/dfc.conf of this release
  --log LEVEL         least level of the log: error, warn, info (default) or debug
The other options stand in for keys of the conf file.
`

/** Runs until a signal; answers the exit code where it does not start. */
export async function runGateway(args: readonly string[]): Promise<void> {
  try {
    const command = parseCommand(args)
    if (command === 'help') {
      process.stdout.write(USAGE)
      return
    }
    await serve(command.conf, command.level)
  } catch (thrown) {
    const error = toDfsError(thrown)
    const sentence = error.code === 'INTERNAL' ? (error.stack ?? error.message) : error.message
    process.stderr.write(`fourfold: ${sentence}\nfourfold: hint: ${codes[error.code].hint}\n`)
    process.exitCode = error.code === 'USAGE' ? 2 : 1
  }
}

async function serve(conf: DfcConf, level: string): Promise<void> {
  const logger = createGatewayLog({ level })
  const { host, port, data, public_url: publicUrl } = conf.gateway
  const sessionKey = await loadSessionKey(data)
  const pages = await loadPageBundle(resolve(ROOT, 'web/dist'), basePath(publicUrl))
  const clusterKey = readClusterKey(conf.cluster_key_file)
  const store = createStore({
    conf,
    ...(clusterKey === undefined ? {} : { clusterKey }),
    log: (line) => logger.warn(line),
  })
  try {
    await store.ready()
    const app = await createApp({ store, conf, sessionKey, pages, logger })
    const address = await listen(app, host, port)
    saveCompileCache()
    process.stdout.write(`gateway listens on ${address}\n`)
    stopOnSignal(async () => {
      await closeWithin(app, STOP_TIMEOUT_MS)
      await store.close()
    })
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

/** The first signal stops cleanly, the second at once. */
function stopOnSignal(stop: () => Promise<void>): void {
  let isStopping = false
  const onSignal = () => {
    if (isStopping) process.exit(1)
    isStopping = true
    stop().then(
      () => process.exit(0),
      (error) => {
        process.stderr.write(`fourfold: the stop failed: ${error}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}

const LEVELS = ['error', 'warn', 'info', 'debug']

/** @throws DfsError USAGE, CONF_INVALID */
function parseCommand(args: readonly string[]): { conf: DfcConf; level: string } | 'help' {
  const { values, positionals } = parseOptions(args)
  if (values.help === true) return 'help'
  if (positionals.length !== 1 || positionals[0] !== 'gateway') {
    throw new DfsError('USAGE', 'The one command is: fourfold gateway')
  }
  const level = values.log ?? 'info'
  if (!LEVELS.includes(level)) {
    throw new DfsError('USAGE', `--log takes one of ${LEVELS.join(', ')}.`)
  }
  const overrides: Override[] = []
  const override = (name: string, key: string, value: unknown) => {
    if (value !== undefined) overrides.push({ key, value, from: `--${name}` })
  }
  override('host', 'gateway.host', values.host)
  override('port', 'gateway.port', values.port === undefined ? undefined : Number(values.port))
  override('data', 'gateway.data', absolute(values.data))
  override(
    'nodes',
    'nodes',
    values.nodes?.split(',').map((node) => node.trim()),
  )
  override('cluster-key', 'cluster_key_file', absolute(values['cluster-key']))
  const file = values.conf ?? resolve(ROOT, 'conf/dfc.conf')
  return { conf: loadConf({ file, schema: dfcConfSchema, overrides }), level }
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path)
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        conf: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        data: { type: 'string' },
        nodes: { type: 'string' },
        'cluster-key': { type: 'string' },
        log: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (cause) {
    throw new DfsError('USAGE', (cause as Error).message, { cause })
  }
}
