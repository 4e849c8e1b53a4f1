// Everything by which a node brings itself up to date with its peers and keeps itself whole, as
// loops in the background: undecided versions are settled, what the peers decided is taken over,
// parts that are missing or damaged here are fetched, what is held is read again, tombstones that
// everybody knows are collected. Knows when; the files named in the imports know how.
import { createCatchUp } from './catch-up.ts'
import type { Services } from './commands/table.ts'
import type { VersionName } from './entry-table.ts'
import { createGraves } from './graves.ts'
import { Damage } from './ledger.ts'
import type { Log } from './log.ts'
import { createPace, type Loop, startLoop } from './pace.ts'
import type { Peer } from './peers.ts'
import {
  type DfsError,
  NODE_COUNT,
  nodeName,
  type RepairState,
  toDfsError,
} from './protocol/index.ts'
import { createRepair } from './repair.ts'
import { createRepairProgress } from './repair-progress.ts'
import { createRepairRun } from './repair-run.ts'
import { createScrub, type Scrub } from './scrub.ts'
import { settle } from './settle.ts'

const MAX_SETTLE_EVERY_MS = 5000
const MAX_GRAVES_EVERY_MS = 3_600_000
const DAY_MS = 86_400_000

export interface Recovery {
  state(): RepairState
  scrub: Pick<Scrub, 'state' | 'hurry'>
  /** A part was met that is gone or damaged: it is fetched anew. */
  report(name: VersionName, part: number, code: 'PART_MISSING' | 'DAMAGED'): void
  /** Something is missing that was not known to be: repair looks now. */
  look(): void
  /** Begins; what was begun before a restart goes on. */
  start(): void
  stop(): Promise<void>
}

export interface RecoveryOptions {
  /** All but the recovery itself. */
  services: Omit<Services, 'recovery'>
  /** Three, or none: then nothing here can be done but to say what is missing. */
  peers: readonly Peer[]
  /** Of this node's folder. */
  epoch: Uint8Array
  /** Where parts grow until they are whole. */
  partialPath: string
  conf: {
    settle: { grace_ms: number }
    repair: { look_every_ms: number; bytes_per_second: number }
    scrub: { every_days: number; bytes_per_second: number }
    deletes: { keep_days: number }
  }
  log: Log
}

export function createRecovery(options: RecoveryOptions): Recovery {
  const { services, peers, conf, log } = options
  const { catalog, accounts, entries, peerEntries, parts, cursors, ledger } = services
  const lookEveryMs = conf.repair.look_every_ms
  const graceMs = conf.settle.grace_ms
  const stopping = new AbortController()
  const { signal } = stopping
  const followed = new Set<number>()
  const loops: Loop[] = []
  let repairLoop: Loop | undefined
  let scrubLoop: Loop | undefined

  const catchUp = createCatchUp({
    ...{ catalog, accounts, peerEntries, cursors, parts, forgetUser: services.forgetUser },
    onPage: () => repairLoop?.wake(),
  })
  const progress = createRepairProgress({ catalog, ledger, log })
  const repair = createRepair({
    ...{ catalog, peerEntries, parts, peers, space: services.space, node: services.node },
    partialPath: options.partialPath,
    pace: createPace(conf.repair.bytes_per_second, signal),
    applyDone: progress.applyDone,
    onBytes: progress.onBytes,
    onPartial: progress.onPartial,
  })
  const run = createRepairRun({
    ...{ catalog, ledger, entries, peerEntries, parts, repair, progress, signal, log },
  })
  const scrub = createScrub({
    ...{ catalog, ledger, peerEntries, parts, signal, log },
    everyMs: conf.scrub.every_days * DAY_MS,
    bytesPerSecond: conf.scrub.bytes_per_second,
    onDamage: () => repairLoop?.wake(),
  })
  const keepMs = conf.deletes.keep_days * DAY_MS
  const collectGraves = createGraves({
    ...{ catalog, accounts, peerEntries, cursors, peers, node: services.node, keepMs, log },
    epoch: options.epoch,
  })

  async function follow(peer: Peer): Promise<number> {
    try {
      await catchUp(await peer.link())
    } catch (error) {
      const { code, message } = toDfsError(error)
      // A peer that is down is told by its absence; what else may be wrong, the operator must know.
      if (code !== 'NODE_GONE' && code !== 'NODE_TIMEOUT') {
        log.warn(`What ${nodeName(peer.node - 1)} knows cannot be had.`, { reason: message })
      }
      return lookEveryMs
    }
    followed.add(peer.node)
    return lookEveryMs
  }

  async function settleOnce(): Promise<number> {
    await settle({ catalog, entries, peerEntries, parts, peers, graceMs })
    return Math.min(Math.max(graceMs / 2, 50), MAX_SETTLE_EVERY_MS)
  }

  async function collectOnce(): Promise<number> {
    await catalog.writeAlone(() => peerEntries.applyForgive(Date.now()))
    await collectGraves().catch((error: unknown) => {
      log.debug('No tombstone can be collected now.', { reason: toDfsError(error).message })
    })
    return Math.min(Math.max(keepMs / 4, lookEveryMs), MAX_GRAVES_EVERY_MS)
  }

  async function note(name: VersionName, part: number, code: 'PART_MISSING' | 'DAMAGED') {
    const held = peerEntries.lackOf(name, part)
    if (held === undefined) return
    const id = held.id * 4 + part - 1
    if (code === 'DAMAGED' && ledger.damageOf(id) !== undefined) return
    await catalog.write(() => {
      if (code === 'PART_MISSING') peerEntries.applyLose(name, part)
      else if (peerEntries.holds(name, part)) ledger.applyDamage(id, Damage.waiting, 0)
    })
    repairLoop?.wake()
  }

  const onError = (error: DfsError) => {
    if (!signal.aborted) log.warn('Recovery paused.', { reason: error.message })
  }
  const loop = (step: () => Promise<number>) => startLoop({ step, retryMs: lookEveryMs, onError })

  return {
    state: () => ({
      peers: peers.filter(({ isUp }) => isUp).length,
      isCurrent: followed.size === NODE_COUNT - 1,
      ...run.state(),
    }),

    scrub: {
      state: scrub.state,
      async hurry() {
        await scrub.hurry()
        scrubLoop?.wake()
      },
    },

    report(name, part, code) {
      note(name, part, code).catch((error: unknown) => onError(toDfsError(error)))
    },

    look: () => repairLoop?.wake(),

    start() {
      scrubLoop = loop(scrub.step)
      loops.push(scrubLoop)
      if (peers.length === 0) return
      repairLoop = loop(run.step)
      loops.push(repairLoop, loop(settleOnce), loop(collectOnce))
      for (const peer of peers) loops.push(loop(() => follow(peer)))
    },

    async stop() {
      stopping.abort()
      for (const peer of peers) peer.close()
      await Promise.all(loops.map((one) => one.stop()))
      await scrub.stop()
    },
  }
}
