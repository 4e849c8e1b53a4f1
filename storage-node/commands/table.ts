// The commands of a node as one table: each op of the protocol and the small function that does it.
// Every function may assume that fields and proof are checked; none knows of sockets or frames.
import type { AccountBook } from '../accounts.ts'
import type { Catalog } from '../catalog.ts'
import type { Cursors } from '../cursors.ts'
import type { DiskSpace } from '../disk-space.ts'
import type { EntryBook } from '../entries.ts'
import type { KeptUploads } from '../kept-uploads.ts'
import type { Ledger } from '../ledger.ts'
import type { PartStore, StoredPiece } from '../part-store.ts'
import type { PeerEntryBook } from '../peer-entries.ts'
import type { Sender } from '../proof-check.ts'
import type { BodySink, Op, Request, RequestOf, ResponseOf, Section } from '../protocol/index.ts'
import type { RecentReads } from '../recent-reads.ts'
import type { Recovery } from '../recovery.ts'
import type { Staging } from '../staging.ts'
import { accountCommands } from './accounts.ts'
import { keptCommands } from './kept.ts'
import { moveCommands } from './moves.ts'
import { peerCommands } from './peers.ts'
import { readCommands } from './reading.ts'
import { statusCommands } from './status.ts'
import { uploadCommands } from './uploads.ts'
import { versionCommands } from './versions.ts'

/** Bytes since the start; `piece` counts the pieces of rows alone, without heads. */
export interface Traffic {
  receivedBytes: number
  sentBytes: number
  pieceBytesReceived: number
  pieceBytesSent: number
}

/** All that commands work with. */
export interface Services {
  node: number
  clusterKey: Uint8Array
  /** Rounds that are shown for users who do not exist. */
  rounds: number
  startedMs: number
  reserveBytes: number
  catalog: Catalog
  accounts: AccountBook
  entries: EntryBook
  peerEntries: PeerEntryBook
  cursors: Cursors
  ledger: Ledger
  parts: PartStore
  recentReads: RecentReads
  staging: Staging
  kept: KeptUploads
  space: DiskSpace
  traffic: Traffic
  recovery: Recovery
  connectionCount: () => number
  /** Removes all that a removed user owned. Callers of the same user share one run. */
  forgetUser: (user: string) => Promise<void>
}

/** One request as its command sees it. */
export interface Call {
  sender: Sender
  /** Of this connection's greeting. */
  nonce: Uint8Array
  /** The body, where there is one, and its lengths and checksums. */
  bodies: readonly Buffer[]
  sections: readonly Section[]
  isOpen(): boolean
  /** Stops reading from the client until the answer is called. */
  hold(): () => void
  /** Answers with an error frame. */
  fail(error: unknown): void
  /** Sends a response for each piece, in one write; resolves when their memory may be reused. */
  send(pieces: readonly SentPiece[]): Promise<void>
  answer(reply: Reply): void
}

/** A piece with what its response says of it. */
export interface SentPiece extends StoredPiece {
  more: boolean
}

export interface Reply<O extends Op = Op> {
  header: Omit<ResponseOf<O>, 'body'>
  body?: readonly { bytes: Uint8Array; crc: number }[]
}

type Outcome<O extends Op> = Reply<O> | undefined | Promise<Reply<O> | undefined>
type Handler<O extends Op> = (call: Call, request: RequestOf<O>) => Outcome<O>
type Simple = Exclude<Op, 'append'>

/** Some of the commands. `undefined` as an outcome: the command has sent its answers itself. */
export type CommandsOf<O extends Simple> = { [P in O]: Handler<P> }

export interface Commands {
  run(call: Call, request: Exclude<Request, { op: 'append' }>): Outcome<Op>
  /** Takes the body of a row while it arrives; answers only where that fails. */
  append(call: Call, request: RequestOf<'append'>, sections: readonly Section[]): BodySink
}

export function createCommands(services: Services): Commands {
  const { append, ...uploads } = uploadCommands(services)
  const table: CommandsOf<Simple> = {
    ...statusCommands(services),
    ...accountCommands(services),
    ...readCommands(services),
    ...peerCommands(services),
    ...uploads,
    ...moveCommands(services),
    ...keptCommands(services),
    ...versionCommands(services),
  }
  return {
    run: (call, request) => (table[request.op] as Handler<Op>)(call, request as never),
    append,
  }
}
