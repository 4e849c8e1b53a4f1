// What conf/dfc.conf may say to the gateway and to the terminal client. Meanings, units and
// defaults are told in the example file.
import { DEFAULT_ROUNDS, NODE_COUNT, type Static, Type } from '@fourfold/storage-node/protocol'
import { address, count, flag, hours, rounds, table, text, timeoutMs } from './kinds.ts'

export type DfcConf = Static<typeof dfcConfSchema>

const DEFAULT_NODES = ['127.0.0.1:10001', '127.0.0.1:10002', '127.0.0.1:10003', '127.0.0.1:10004']

export const dfcConfSchema = table({
  /** In ring order: DFS1 first. */
  nodes: Type.Array(address, {
    default: DEFAULT_NODES,
    minItems: NODE_COUNT,
    maxItems: NODE_COUNT,
    uniqueItems: true,
    description: 'a list of exactly four different addresses, DFS1 first',
  }),
  cluster_key_file: text('../data/cluster.key'),
  user: table({ name: Type.Optional(text()), password: Type.Optional(text()) }),
  accounts: table({ rounds: rounds(DEFAULT_ROUNDS) }),
  limits: table({
    connect_timeout_ms: timeoutMs(5_000),
    request_timeout_ms: timeoutMs(15_000),
    stall_timeout_ms: timeoutMs(30_000),
    slow_ms: timeoutMs(500),
    ping_every_ms: timeoutMs(1_000),
    ping_timeout_ms: timeoutMs(10_000),
    bulk_connections: count(64, 1, 4096),
    transfers: count(1024),
    user_transfers: count(128),
    memory_mib: count(1280),
    rows: count(32),
    progress_bytes: count(16_384),
    progress_window_ms: timeoutMs(120_000),
    waiting: count(1024, 0),
    wait_timeout_ms: timeoutMs(30_000),
    derivations: count(2, 1, 64),
    derivations_waiting: count(512, 0),
    listed_files: count(2_500_000, 1, 100_000_000),
    listing_poll_ms: timeoutMs(2_000),
    upload_days: Type.Number({ default: 7, exclusiveMinimum: 0, maximum: 366 }),
    identity_minutes: Type.Number({ default: 15, exclusiveMinimum: 0, maximum: 1440 }),
  }),
  gateway: table({
    host: text('127.0.0.1'),
    port: Type.Integer({ default: 8080, minimum: 0, maximum: 65_535 }),
    data: text('../data'),
    session_hours: hours(12),
    public_url: Type.String({
      default: '',
      pattern: '^$|^https?://[^\\s/?#]+(/[^\\s?#]*)?$',
      description: 'empty, or an address such as "https://files.example"',
    }),
    trust_proxy: flag(false),
    metrics: flag(false),
    workers: count(0, 0, 64),
  }),
  tls: table({ ca_file: Type.Optional(text()), servername: Type.Optional(text()) }),
})
