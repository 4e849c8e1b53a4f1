// `dfs DIR PORT`: reads the command line and the conf, starts one storage node, stops it on a
// signal. Says one line on stdout when it listens; everything else goes to stderr.
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type DfsConf, dfsConfSchema, loadConf } from '@fourfold/conf'
import { saveCompileCache } from '../conf/compile-cache.js'
import { openClusterKey } from './cluster-key.ts'
import { createLog } from './log.ts'
import { createNode, type NodeOptions } from './node.ts'
import { codes, type DfsError, toDfsError } from './protocol/index.ts'

const USAGE =
  'dfs DIR PORT [--conf FILE] [--node N] [--host HOST] [--cluster-key FILE] [--peers A,B,C,D]'
const OWN_CONF = fileURLToPath(new URL('../conf/dfs.conf', import.meta.url))

interface CommandLine {
  folder: string
  port: number
  node: number
  conf: string
  host: string | undefined
  clusterKey: string | undefined
  peers: string[] | undefined
}

/** Runs until a signal; ends the process where it cannot start. */
export async function runNode(args: readonly string[]): Promise<void> {
  try {
    await serve(args)
  } catch (error) {
    fail(toDfsError(error))
  }
}

async function serve(args: readonly string[]): Promise<void> {
  // What a node keeps is nobody else's on its machine: records of accounts, when who stored how
  // much.
  process.umask(0o077)
  const line = readCommandLine(args)
  const conf = readConf(line)
  const { folder, port, node } = line
  const log = createLog({ name: `DFS${node}` })
  const { key, isNew, isExposed } = await openClusterKey(conf.cluster_key_file)
  const keyFile = conf.cluster_key_file
  if (isNew) log.info(`Made the cluster key ${keyFile}: copy it to the other machines.`)
  if (isExposed) log.warn(`Other users of this machine can read the cluster key ${keyFile}.`)
  const options: NodeOptions = { folder, port, node, clusterKey: key, conf, log }
  const storageNode = await createNode(options)

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      storageNode.close().then(
        () => process.exit(0),
        (error: unknown) => fail(toDfsError(error)),
      )
    })
  }
  const host = storageNode.host.includes(':') ? `[${storageNode.host}]` : storageNode.host
  saveCompileCache()
  process.stdout.write(`DFS${node} listens on ${host}:${storageNode.port}, folder ${folder}\n`)
}

function readConf({ conf, host, clusterKey, peers }: CommandLine): DfsConf {
  const overrides = []
  if (host !== undefined) overrides.push({ key: 'host', value: host, from: '--host' })
  if (peers !== undefined) overrides.push({ key: 'peers', value: peers, from: '--peers' })
  if (clusterKey !== undefined) {
    const value = resolve(clusterKey)
    overrides.push({ key: 'cluster_key_file', value, from: '--cluster-key' })
  }
  return loadConf({ file: conf, schema: dfsConfSchema, overrides })
}

function readCommandLine(args: readonly string[]): CommandLine {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        conf: { type: 'string', default: OWN_CONF },
        node: { type: 'string' },
        host: { type: 'string' },
        'cluster-key': { type: 'string' },
        peers: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(`${USAGE}\n`)
      process.exit(0)
    }
    const [folder, port, ...rest] = positionals
    if (folder === undefined || port === undefined || rest.length > 0) {
      throw new Error('Give a folder and a port.')
    }
    return {
      folder: resolve(folder),
      port: wholeNumber(port, { what: 'PORT', least: 0, most: 65_535 }),
      node: nodeNumber(values.node, folder),
      conf: values.conf,
      host: values.host,
      clusterKey: values['cluster-key'],
      peers: values.peers?.split(',').map((address) => address.trim()),
    }
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error), USAGE)
    process.exit(2)
  }
}

/** `--node`, or the number at the end of the folder's name: /data/DFS1 is node 1. */
function nodeNumber(option: string | undefined, folder: string): number {
  const limits = { what: 'The node number', least: 1, most: 4 }
  if (option !== undefined) return wholeNumber(option, limits)
  const found = /\d+$/.exec(basename(resolve(folder)))?.[0]
  if (found === undefined) {
    throw new Error('The name of DIR must end in the number of the node, or give --node.')
  }
  return wholeNumber(found, limits)
}

function wholeNumber(text: string, limits: { what: string; least: number; most: number }): number {
  const { what, least, most } = limits
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new Error(`${what} must be a whole number from ${least} to ${most}.`)
}

function complain(sentence: string, hint: string): void {
  process.stderr.write(`dfs: ${sentence}\ndfs: hint: ${hint}\n`)
}

function fail(error: DfsError): void {
  complain(error.message, codes[error.code].hint)
  process.exit(1)
}
