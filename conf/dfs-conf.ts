// What conf/dfs.conf may say to a storage node. Meanings, units and defaults are told in the
// example file.
import { DEFAULT_ROUNDS, NODE_COUNT, type Static, Type } from '@fourfold/storage-node/protocol'
import { address, count, days, hours, rounds, sizeBytes, table, text, timeoutMs } from './kinds.ts'

export type DfsConf = Static<typeof dfsConfSchema>

export const dfsConfSchema = table({
  cluster_key_file: text('../data/cluster.key'),
  host: text('127.0.0.1'),
  /** In ring order, this node's own address among them; or empty: no peers are known. */
  peers: Type.Refine(
    Type.Array(address, { default: [], uniqueItems: true }),
    (peers) => peers.length === 0 || peers.length === NODE_COUNT,
    () => 'a list of exactly four different addresses, DFS1 first, or an empty one',
  ),
  limits: table({
    connections: count(4096),
    head_timeout_ms: timeoutMs(10_000),
    idle_timeout_ms: timeoutMs(600_000),
    stall_timeout_ms: timeoutMs(120_000),
  }),
  staging: table({
    age_hours: hours(24),
    sync_every_bytes: sizeBytes(4_194_304, 65_536),
  }),
  disk: table({ reserve_bytes: sizeBytes(536_870_912) }),
  settle: table({ grace_ms: timeoutMs(180_000) }),
  repair: table({
    look_every_ms: timeoutMs(2_000),
    bytes_per_second: sizeBytes(67_108_864, 65_536),
  }),
  scrub: table({
    every_days: days(30),
    bytes_per_second: sizeBytes(33_554_432, 65_536),
  }),
  deletes: table({ keep_days: days(30) }),
  accounts: table({ rounds: rounds(DEFAULT_ROUNDS) }),
  tls: Type.Refine(
    table({
      cert_file: Type.Optional(text()),
      key_file: Type.Optional(text()),
      ca_file: Type.Optional(text()),
      servername: Type.Optional(text()),
    }),
    (tls) => (tls.cert_file === undefined) === (tls.key_file === undefined),
    () => 'both cert_file and key_file, or neither',
  ),
})
