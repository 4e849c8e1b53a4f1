// A whole storage node in this process: opens the folder, listens, accepts, looks after what lies
// around, stops. Takes plain options; where they come from is dfs-process.ts's to know.
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { DfsConf } from '@fourfold/conf'
import { createAcceptor } from './accepted-socket.ts'
import { createAccounts } from './accounts.ts'
import { createCommands, type Services, type Traffic } from './commands/table.ts'
import { Connection } from './connection.ts'
import { createCursors } from './cursors.ts'
import { createDiskSpace } from './disk-space.ts'
import { createEntries } from './entries.ts'
import { createEntryTable } from './entry-table.ts'
import { type Folder, openFolder } from './folder.ts'
import { createKeptTable } from './kept-table.ts'
import { createKeptUploads } from './kept-uploads.ts'
import { createLedger } from './ledger.ts'
import { clearLeftovers, type Leftovers } from './leftovers.ts'
import type { Log } from './log.ts'
import { createPartStore } from './part-store.ts'
import { createPeerEntries } from './peer-entries.ts'
import { createPeers } from './peers.ts'
import { createProofCheck } from './proof-check.ts'
import { DfsError, toDfsError } from './protocol/index.ts'
import { createRecentReads } from './recent-reads.ts'
import { createRecovery } from './recovery.ts'
import { createStaging } from './staging.ts'
import { createThrottle } from './throttle.ts'

/**
 * Sockets above the limit that may be told so at once; what comes beyond is closed without a word.
 */
const REFUSED_CONNECTIONS = 64
/** How long requests under way may take when the node stops. */
const STOP_MS = 5000
const COLLECT_EVERY_MS = 60_000
/** Entries of a removed user that go in one transaction. */
const FORGET_PAGE = 256

export interface NodeOptions {
  folder: string
  /** 0: any free port. */
  port: number
  /** 1..4 */
  node: number
  /** 32 bytes. */
  clusterKey: Uint8Array
  conf: DfsConf
  log: Log
}

export interface StorageNode extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Answers what is under way, at most 5 s, and gives the folder back. */
  close(): Promise<void>
}

/**
 * Opens the folder and listens.
 * @throws DfsError FOLDER_FOREIGN, FOLDER_IN_USE, PORT_IN_USE, CONF_INVALID (TLS files),
 * DISK_FAILED
 */
export async function createNode(options: NodeOptions): Promise<StorageNode> {
  const { node, log } = options
  const server = newServer(options.conf)
  const folder = await openFolder(options.folder, node)
  try {
    const connections = new Set<Connection>()
    const services = createServices(options, folder, () => connections.size)
    await recover(services, log)
    const stopTending = tend({ services, connections, conf: options.conf, log })
    accept({ server, connections, services, options, folder })
    await listen(server, options).catch((error: unknown) => {
      stopTending()
      throw error
    })
    services.recovery.start()
    const { recovery } = services
    const leftovers = clearLeftovers({ services, onLost: () => recovery.look(), log })
    // Accepting can fail for want of descriptors; the node goes on and accepts again later.
    server.on('error', (error) => log.warn('The listener failed.', { reason: error.message }))
    const { address, port } = server.address() as AddressInfo
    let closing: Promise<void> | undefined
    const close = () => {
      closing ??= stop({ server, connections, services, stopTending, leftovers })
      return closing
    }
    return { host: address, port, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    folder.catalog.close()
    throw error
  }
}

function createServices(
  options: NodeOptions,
  folder: Folder,
  connectionCount: () => number,
): Services {
  const { conf, node, clusterKey, log } = options
  const { catalog } = folder
  const ledger = createLedger(catalog)
  const accounts = createAccounts(catalog, node)
  const table = createEntryTable(catalog)
  const entries = createEntries(catalog, table)
  const peerEntries = createPeerEntries({ catalog, table, node, createdMs: folder.createdMs })
  const recentReads = createRecentReads()
  const parts = createPartStore({ folder: folder.partsPath, log, isRead: recentReads.has })
  const staging = createStaging({
    folder: folder.stagingPath,
    node,
    ageMs: conf.staging.age_hours * 3_600_000,
    syncEveryBytes: conf.staging.sync_every_bytes,
  })
  const kept = createKeptUploads({
    ...{ catalog, staging, table: createKeptTable(catalog), syncFolder: parts.syncFolder },
  })
  const runs = new Map<string, Promise<void>>()

  async function forgetUserOnce(user: string): Promise<void> {
    await staging.dropUser(user)
    await kept.dropUser(user)
    for (;;) {
      const { count, doomed } = await catalog.writeAlone(() =>
        entries.applyForget(user, FORGET_PAGE),
      )
      await parts.discard(doomed)
      if (count === 0) break
    }
    await catalog.write(() => accounts.applyForget(user))
  }

  function forgetUser(user: string): Promise<void> {
    const run = runs.get(user) ?? forgetUserOnce(user).finally(() => runs.delete(user))
    runs.set(user, run)
    return run
  }

  const services = {
    node,
    clusterKey,
    rounds: conf.accounts.rounds,
    startedMs: Date.now(),
    reserveBytes: conf.disk.reserve_bytes,
    catalog,
    accounts,
    entries,
    peerEntries,
    cursors: createCursors(catalog),
    ledger,
    parts,
    recentReads,
    staging,
    kept,
    space: createDiskSpace({ path: folder.path, reserveBytes: conf.disk.reserve_bytes }),
    traffic: newTraffic(),
    connectionCount,
    forgetUser,
  }
  const recovery = createRecovery({
    services,
    peers: createPeers({ conf, node, clusterKey }),
    epoch: folder.epoch,
    partialPath: folder.partialPath,
    conf,
    log,
  })
  return { ...services, recovery }
}

/** What must be done before the first upload comes; the rest is leftovers.ts's. */
async function recover({ kept, staging }: Services, log: Log): Promise<void> {
  const expiredCount = await kept.collect(Date.now())
  const stagedCount = expiredCount + (await staging.clear(kept.isKept))
  if (stagedCount > 0) log.info('Removed what unfinished uploads had left.', { stagedCount })
}

/** The regular work: time limits of connections, old uploads. Answers how to stop it. */
function tend(options: {
  services: Services
  connections: ReadonlySet<Connection>
  conf: DfsConf
  log: Log
}): () => void {
  const { services, connections, conf, log } = options
  const { head_timeout_ms, idle_timeout_ms, stall_timeout_ms } = conf.limits
  const shortestMs = Math.min(head_timeout_ms, idle_timeout_ms, stall_timeout_ms)
  const checkTimer = setInterval(
    () => {
      const nowMs = performance.now()
      for (const connection of connections) connection.check(nowMs)
    },
    Math.min(Math.max(shortestMs / 4, 10), 1000),
  )
  const collectTimer = setInterval(() => {
    const { kept, parts, recentReads, space, staging } = services
    const collect = async () => {
      recentReads.collect()
      await parts.discardRead({ all: space.isFull() })
      await Promise.all([staging.collect(Date.now()), kept.collect(Date.now())])
    }
    collect().catch((error: unknown) => {
      log.warn('Old uploads could not be collected.', { reason: toDfsError(error).message })
    })
  }, COLLECT_EVERY_MS)
  return () => {
    clearInterval(checkTimer)
    clearInterval(collectTimer)
  }
}

function accept(parts: {
  server: Server
  connections: Set<Connection>
  services: Services
  options: NodeOptions
  folder: Folder
}): void {
  const { server, connections, services, options, folder } = parts
  const { node, conf, log, clusterKey } = options
  const { traffic, accounts } = services
  const throttle = createThrottle()
  const proofCheck = createProofCheck({ node, clusterKey, accounts, throttle })
  const commands = createCommands(services)
  const limits = {
    headTimeoutMs: conf.limits.head_timeout_ms,
    idleTimeoutMs: conf.limits.idle_timeout_ms,
    stallTimeoutMs: conf.limits.stall_timeout_ms,
  }
  const shared = { node, epoch: folder.epoch, commands, proofCheck, throttle, limits, traffic, log }

  const accepting = createAcceptor()

  server.maxConnections = conf.limits.connections + REFUSED_CONNECTIONS
  server.on(isTls(conf) ? 'secureConnection' : 'connection', (raw: Socket) => {
    const accepted = accepting(raw)
    const connection = new Connection({ ...shared, accepted })
    const isTooMany = connections.size >= conf.limits.connections
    connections.add(connection)
    accepted.socket.on('close', () => connections.delete(connection))
    if (!isTooMany) connection.greet()
    else
      connection.refuse(new DfsError('TOO_MANY_CONNECTIONS', 'This node has no connection free.'))
  })
}

async function stop(parts: {
  server: Server
  connections: ReadonlySet<Connection>
  services: Services
  stopTending: () => void
  leftovers: Leftovers
}): Promise<void> {
  const { server, connections, services, stopTending, leftovers } = parts
  stopTending()
  server.close()
  await leftovers.stop()
  await services.recovery.stop()
  await Promise.all([...connections].map((connection) => connection.close(STOP_MS)))
  await services.staging.close()
  await services.parts.discardRead({ all: true })
  services.catalog.close()
}

function newServer(conf: DfsConf): Server {
  // Half-open: a client may end its side after the last request and still read the answers.
  // Paused: no byte is read before the acceptor has its way of reading in place.
  const basics = { allowHalfOpen: true, pauseOnConnect: true }
  if (!isTls(conf)) return createServer(basics)
  try {
    const [cert, key] = [readFileSync(conf.tls.cert_file!), readFileSync(conf.tls.key_file!)]
    return createTlsServer({
      ...basics,
      cert,
      key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: 10_000,
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new DfsError('CONF_INVALID', `The TLS files cannot be used: ${reason}.`, { cause })
  }
}

function isTls(conf: DfsConf): boolean {
  return conf.tls.cert_file !== undefined && conf.tls.key_file !== undefined
}

function listen(server: Server, { port, conf }: NodeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE'
      const message = isTaken
        ? `Another program listens on ${conf.host}:${port}.`
        : `The node cannot listen on ${conf.host}:${port} (${error.code ?? error.message}).`
      reject(new DfsError(isTaken ? 'PORT_IN_USE' : 'CONF_INVALID', message, { cause: error }))
    })
    server.listen({ host: conf.host, port, backlog: 1024 }, () => resolve())
  })
}

function newTraffic(): Traffic {
  return { receivedBytes: 0, sentBytes: 0, pieceBytesReceived: 0, pieceBytesSent: 0 }
}
