// Puts the DFS client together: links, sign-in, uploads, downloads, listings, accounts, behind
// `Store`.
import { readFileSync } from 'node:fs'
import type { DfcConf } from '@fourfold/conf'
import { DEFAULT_ROUNDS, nodeName } from '@fourfold/storage-node/protocol'
import { createAccounts } from './accounts.ts'
import { createAdmission } from './admission.ts'
import { ALL_NODES, createCluster } from './cluster.ts'
import { describeFile } from './description-report.ts'
import { createDigestThreads } from './digest-threads.ts'
import { download } from './download.ts'
import { checkFileName } from './file-name.ts'
import { checkFiles } from './fsck.ts'
import { checkAll } from './fsck-all.ts'
import type { Identity } from './identity.ts'
import { createKeptUploads } from './kept-uploads.ts'
import { createListings } from './listing.ts'
import { createListingSnapshots, type SnapshotOptions } from './listing-snapshots.ts'
import { lookupExisting } from './lookup.ts'
import { move } from './move.ts'
import { moveFolder } from './move-folder.ts'
import type { NodeAddress } from './node-socket.ts'
import { createNodeStatus } from './node-status.ts'
import { remove } from './removal.ts'
import { createSignIn } from './sign-in.ts'
import type { Store } from './store.ts'
import type { Turns } from './throttle.ts'
import { upload } from './upload.ts'

const DAY_MS = 24 * 3_600_000

export interface StoreOptions {
  conf: DfcConf
  /** Without it there are no operator commands and no disk figures. */
  clusterKey?: Buffer
  /** Whose turn it is to try a password; default: this process alone decides. */
  turns?: Turns
  /** Where a gateway keeps what it remembers for listings; default: it forgets. */
  snapshots?: Pick<SnapshotOptions, 'folder' | 'minFiles'>
  /** Takes one line about what an operator should know. */
  log?: (line: string) => void
}

/** Starts the links to the nodes; they connect in the background, see `Store.ready`. */
export function createStore(options: StoreOptions): Store {
  const { conf, clusterKey, log = () => {} } = options
  const { limits } = conf
  const cluster = createCluster({
    addresses: addressesOf(conf),
    limits,
    onAuthFailed: (identity) => signIn.dismiss(identity),
  })
  const signIn = createSignIn({
    cluster,
    derivations: limits.derivations,
    derivationsWaiting: limits.derivations_waiting,
    waitTimeoutMs: limits.wait_timeout_ms,
    rememberMs: limits.identity_minutes * 60_000,
    minRounds: Math.min(conf.accounts.rounds, DEFAULT_ROUNDS),
    ...(options.turns === undefined ? {} : { turns: options.turns }),
  })
  const admission = createAdmission(limits)
  const digestThreads = createDigestThreads()
  const snapshots = options.snapshots && createListingSnapshots({ log, ...options.snapshots })
  const listings = createListings({
    cluster,
    ...(snapshots && { snapshots }),
    maxFiles: limits.listed_files,
    pollMs: limits.listing_poll_ms,
  })
  const status = createNodeStatus(cluster, clusterKey)
  const onLiar = (node: string) =>
    log(`${node} sent a piece that does not open; its twin was used.`)
  const bounds = { admission, digestThreads }
  const find = (identity: Identity, name: string, signal?: AbortSignal) =>
    lookupExisting(cluster, identity, { name, signal })

  /** Tells who watches the user's files, also where it is not known what came of the work. */
  const told = <T>(identity: Identity, work: Promise<T>): Promise<T> =>
    work.finally(() => listings.touch(identity))

  return {
    ready: (timeoutMs = limits.connect_timeout_ms) => cluster.ready(timeoutMs),
    signIn: (request) => signIn.signIn(request),
    confirm: (identity) => signIn.confirm(identity),
    nodes: () => status.states(),
    nodesWithDisk: () => status.fresh(),
    onNodesChange: (listener) => cluster.onChange(() => listener(status.states())),
    requireAllNodes: () => cluster.requireAll(),
    list: (identity, query) => listings.list(identity, query),
    changes: (identity, query) => listings.changes(identity, query),
    watchFiles: (identity, watcher) => listings.watch(identity, watcher),
    stat: async (identity, name, signal) => (await find(identity, name, signal)).info,
    describe: async (identity, name, signal) =>
      describeFile(cluster, await find(identity, name, signal)),
    async upload(identity, request) {
      checkFileName(request.name)
      const { sizeBytes, signal } = request
      const leave = await admission.transfer({ user: identity.user, sizeBytes, signal })
      try {
        return await told(identity, upload({ cluster, identity, ...bounds }, request))
      } finally {
        leave()
      }
    },
    download: (identity, request) => download({ cluster, identity, admission, onLiar }, request),
    remove: (identity, request) => told(identity, remove(cluster, identity, request)),
    move: (identity, request) => told(identity, move(cluster, identity, request)),
    moveFolder: (identity, request) =>
      told(
        identity,
        moveFolder({ cluster, identity, list: (query) => listings.list(identity, query) }, request),
      ),
    uploads: createKeptUploads({
      cluster,
      keepMs: limits.upload_days * DAY_MS,
      ...bounds,
      onStored: (identity) => listings.touch(identity),
    }),
    fsck: (identity, signal) =>
      checkFiles({ cluster, identity, signal, list: (query) => listings.list(identity, query) }),
    fsckAll: (signal) => checkAll({ cluster, key: status.requireKey(), signal }),
    async scrub(names) {
      const nodes = ALL_NODES.filter((node) => names.includes(nodeName(node)))
      const outcomes = await status.scrub(nodes)
      return outcomes.map(({ node, error }) => ({ name: nodeName(node), error }))
    },
    accounts: createAccounts({ cluster, signIn, clusterKey, rounds: conf.accounts.rounds }),
    async close() {
      await listings.close()
      await Promise.all([cluster.close(), digestThreads.close()])
    },
  }
}

function addressesOf(conf: DfcConf): NodeAddress[] {
  const { ca_file: caFile, servername } = conf.tls
  const hasTls = caFile !== undefined || servername !== undefined
  const tls = {
    ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    ...(servername !== undefined && { servername }),
  }
  return conf.nodes.map((address, index) => {
    const at = address.lastIndexOf(':')
    const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1')
    return { index, host, port: Number(address.slice(at + 1)), ...(hasTls && { tls }) }
  })
}
