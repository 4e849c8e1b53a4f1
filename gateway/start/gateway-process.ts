// The gateway as a process: arguments and conf, one process or several, and a clean stop on a
// signal. What a process serves is serve.ts's.
import cluster from 'node:cluster'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type DfcConf, dfcConfSchema, loadConf, type Override } from '@fourfold/conf'
import { codes, DfsError, toDfsError } from '@fourfold/storage-node/protocol'
import { createWorkers, joinPrimary, shareOf, workerCount } from './workers.ts'

const ROOT = resolve(import.meta.dirname, '../..')

const USAGE = `Usage: fourfold gateway [--conf FILE] [--host HOST] [--port PORT] [--data FOLDER]
         [--nodes A,B,C,D] [--cluster-key FILE] [--workers NUMBER] [--log LEVEL]

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
    await start(command)
  } catch (thrown) {
    const error = toDfsError(thrown)
    const sentence = error.code === 'INTERNAL' ? (error.stack ?? error.message) : error.message
    process.stderr.write(`fourfold: ${sentence}\nfourfold: hint: ${codes[error.code].hint}\n`)
    process.exitCode = error.code === 'USAGE' ? 2 : 1
    // A worker would live on for what the first process may tell it.
    cluster.worker?.disconnect()
  }
}

/** One process, or several behind one port; each worker runs this same program. */
async function start({ conf, level }: { conf: DfcConf; level: string }): Promise<void> {
  const count = workerCount(conf, availableParallelism())
  if (cluster.isPrimary && count > 1) {
    const workers = createWorkers({ count, report: (line) => process.stderr.write(line) })
    // Signals come before the workers: a start can be given up.
    stopOnSignal(() => workers.stop())
    const address = await workers.start()
    if (typeof address === 'number') process.exitCode = address
    else process.stdout.write(`gateway listens on ${address}\n`)
    return
  }
  const post = cluster.isPrimary ? undefined : joinPrimary()
  // Only who serves loads the rest: the process that watches over workers stays small.
  const { serve } = await import('./serve.ts')
  if (post === undefined) {
    const { address, stop } = await serve({ conf, level })
    process.stdout.write(`gateway listens on ${address}\n`)
    stopOnSignal(stop)
    return
  }
  const own = shareOf(conf, count)
  const { address, stop } = await serve({ conf: own, level, turns: post.turns })
  const ask = stopOnSignal(stop)
  post.onStop(ask)
  post.ready(address)
}

/** The first signal stops cleanly, the second at once. Answers how to stop without a signal. */
function stopOnSignal(stop: () => Promise<void>): () => void {
  let isStopping = false
  const begin = () => {
    if (isStopping) return
    isStopping = true
    stop().then(
      () => process.exit(0),
      (error) => {
        process.stderr.write(`fourfold: the stop failed: ${error}\n`)
        process.exit(1)
      },
    )
  }
  const onSignal = () => {
    if (isStopping) process.exit(1)
    begin()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return begin
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
  override('port', 'gateway.port', numeric(values.port))
  override('data', 'gateway.data', absolute(values.data))
  override(
    'nodes',
    'nodes',
    values.nodes?.split(',').map((node) => node.trim()),
  )
  override('workers', 'gateway.workers', numeric(values.workers))
  override('cluster-key', 'cluster_key_file', absolute(values['cluster-key']))
  const file = values.conf ?? resolve(ROOT, 'conf/dfc.conf')
  return { conf: loadConf({ file, schema: dfcConfSchema, overrides }), level }
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path)
}

function numeric(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
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
        workers: { type: 'string' },
        log: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (cause) {
    throw new DfsError('USAGE', (cause as Error).message, { cause })
  }
}
