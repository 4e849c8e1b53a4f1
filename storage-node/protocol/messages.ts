// Every message of the protocol: the fields of its header, checked by the same schema on both
// sides. The README beside this file is the specification; this table is what runs.
import { DfsError } from './errors.ts'
import {
  MAX_CHANGES,
  MAX_PAGE_ENTRIES,
  MAX_PAGE_KEPT,
  MAX_PAGE_USERS,
  MAX_ROUNDS,
  MAX_ROWS,
  MAX_SEALED_BYTES,
  MAX_SECTIONS,
  NODE_COUNT,
} from './limits.ts'
import { RepairState, ScrubState } from './node-state.ts'
import { KEY_BYTES, SALT_BYTES } from './scram.ts'
import { faultOf, type Properties, type Shape, type Static, Type } from './shapes.ts'
import { VERSION_BYTES } from './version.ts'

export const FILE_ID_BYTES = 16
export const UPLOAD_ID_BYTES = 16
/** GCM nonce, wrapped 32-byte user key, tag. */
export const WRAPPED_KEY_BYTES = 12 + 32 + 16

const uint32 = Type.Integer({ minimum: 0, maximum: 0xffff_ffff })
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const rows = Type.Integer({ minimum: 1, maximum: MAX_ROWS })
const row = Type.Integer({ minimum: 0, maximum: MAX_ROWS - 1 })
const quarter = Type.Integer({ minimum: 0, maximum: NODE_COUNT - 1 })
const part = Type.Integer({ minimum: 1, maximum: NODE_COUNT })
const user = Type.String({ minLength: 1, maxLength: 255 })
const fileId = bytes(FILE_ID_BYTES)
const version = bytes(VERSION_BYTES)
const upload = bytes(UPLOAD_ID_BYTES)
const sealed = bytes(1, MAX_SEALED_BYTES)
const size = Type.Optional(count)
const body = Type.Optional(
  Type.Array(Type.Tuple([uint32, uint32]), { minItems: 1, maxItems: MAX_SECTIONS }),
)

/** Pieces are sent as they lie on the disk: whoever asks for it checks what they make. */
const unchecked = Type.Optional(Type.Boolean())

/**
 * Refuses a prepare unless the newest committed version is this one; null: unless there is no file.
 */
const condition = Type.Optional(Type.Union([Type.Null(), version]))

/** Bytes of one lane, and the CRC-32 over the CRC-32s (4 bytes each, big-endian) of its pieces. */
const lane = message({ bytes: count, checksum: uint32 })

/**
 * What all nodes keep of an account, the same on all four: a StoredKey (of node 1..4, in order)
 * checks proofs and makes none. `change` orders the versions of the record.
 */
export const AccountRecord = message({
  user,
  change: count,
  salt: bytes(SALT_BYTES),
  rounds: Type.Integer({ minimum: 1, maximum: MAX_ROUNDS }),
  storedKeys: Type.Array(bytes(KEY_BYTES), { minItems: NODE_COUNT, maxItems: NODE_COUNT }),
  wrappedKey: bytes(WRAPPED_KEY_BYTES),
})
export type AccountRecord = Static<typeof AccountRecord>

/**
 * What a node's catalog says of one version. `parts` is a bit mask: bit p-1 for part p held here.
 */
export const Entry = message({
  file: fileId,
  version,
  state: Type.Union([Type.Literal('prepared'), Type.Literal('committed'), Type.Literal('deleted')]),
  x: quarter,
  first: quarter,
  rows: count,
  parts: Type.Integer({ minimum: 0, maximum: 15 }),
  sealed: bytes(0, MAX_SEALED_BYTES),
})
export type Entry = Static<typeof Entry>

/** What a node tells its peers of an account that is in force, or (null) that was removed. */
export const PeerAccount = message({
  user,
  change: count,
  account: Type.Union([Type.Null(), AccountRecord]),
})
export type PeerAccount = Static<typeof PeerAccount>
export const PeerAccounts = Type.Array(PeerAccount, { maxItems: MAX_PAGE_ENTRIES })

/** What a node tells its peers of a version that is decided. Which parts it holds is its own. */
export const PeerEntry = message({
  user,
  file: fileId,
  version,
  state: Type.Union([Type.Literal('committed'), Type.Literal('deleted')]),
  x: quarter,
  first: quarter,
  rows: count,
  sealed: bytes(0, MAX_SEALED_BYTES),
})
export type PeerEntry = Static<typeof PeerEntry>
export const PeerEntries = Type.Array(PeerEntry, { maxItems: MAX_PAGE_ENTRIES })

/**
 * What a node knows of a version that another one has prepared. `superseded`: a newer version is
 * decided; `refused`: it is not here and never will be prepared; `blank`: it is not here, and the
 * folder is younger than it.
 */
export const Standing = Type.Union([
  Type.Literal('unknown'),
  Type.Literal('prepared'),
  Type.Literal('committed'),
  Type.Literal('superseded'),
  Type.Literal('refused'),
  Type.Literal('blank'),
])
export type Standing = Static<typeof Standing>

/**
 * A checkpoint of a kept upload: from `sealed` (opaque here) and its first `rows` rows a client can
 * go on. `tail`: bytes of a row that is not full are kept beside them.
 */
export const KeptPoint = message({ number: count, rows: count, sealed, tail: Type.Boolean() })
export type KeptPoint = Static<typeof KeptPoint>

const keptFields = {
  first: quarter,
  /** How often somebody began to write to it. */
  takes: count,
  expires: count,
  done: Type.Boolean(),
  /** Oldest first. */
  points: Type.Array(KeptPoint, { minItems: 1, maxItems: 2 }),
}
/** What a node knows of a kept upload. */
export const Kept = message(keptFields)
export type Kept = Static<typeof Kept>
export const KeptPage = Type.Array(message({ upload, ...keptFields }), {
  maxItems: MAX_PAGE_KEPT,
})
export type KeptPage = Static<typeof KeptPage>

export const Greeting = message({
  node: part,
  nonce: bytes(KEY_BYTES),
  /** Random, made with the node's folder: cursors of `changes` mean nothing under another one. */
  epoch: bytes(16),
})
export type Greeting = Static<typeof Greeting>

export const ErrorMessage = message({
  code: Type.String({ maxLength: 64 }),
  message: Type.String({ maxLength: 4096 }),
  detail: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})
export type ErrorMessage = Static<typeof ErrorMessage>

/**
 * Who may send a command: anybody, a user who proves it, the cluster key, or either of these two.
 */
export type Audience = 'anyone' | 'user' | 'cluster' | 'both'

const nothing = message({})
const page = { since: count, limit: Type.Integer({ minimum: 1, maximum: MAX_PAGE_ENTRIES }) }

/** Each command: who may send it, its request and its response. `op` names it in the request. */
export const commands = {
  ping: command('anyone', {}, message({ timeMs: count, isFull: Type.Boolean() })),
  salt: command('anyone', { user }, message({ salt: bytes(SALT_BYTES), rounds: uint32 })),

  account: command('both', {}, message({ account: AccountRecord })),
  'account-prepare': command('both', { account: AccountRecord }, nothing),
  'account-commit': command('both', { change: count }, nothing),
  'account-abort': command('both', { change: count }, nothing),
  'account-remove': command('cluster', {}, message({ existed: Type.Boolean() })),
  'account-list': command(
    'cluster',
    { after: Type.String({ maxLength: 255 }) },
    message({ users: Type.Array(user, { maxItems: MAX_PAGE_USERS }), more: Type.Boolean() }),
  ),

  lookup: command(
    'user',
    { file: fileId, withParts: Type.Boolean() },
    message({ entries: Type.Array(Entry, { maxItems: 64 }), parts: Type.Array(part), body }),
  ),
  changes: command(
    'user',
    {
      since: count,
      limit: Type.Integer({ minimum: 1, maximum: MAX_CHANGES }),
      brief: Type.Boolean(),
    },
    message({ next: count, more: Type.Boolean(), collected: count, body }),
  ),
  digest: command('user', {}, message({ digest: count, next: count })),
  read: command(
    'both',
    { file: fileId, version, part, from: row, to: rows, unchecked },
    message({ row, more: Type.Boolean(), body }),
  ),

  open: command('user', { upload, first: quarter, size }, nothing),
  append: command('user', { upload, row, body }, nothing),
  staged: command('user', { upload }, message({ rows: count })),
  prepare: command(
    'user',
    {
      upload,
      file: fileId,
      version,
      x: quarter,
      rows,
      lanes: Type.Tuple([lane, lane]),
      sealed,
      condition,
    },
    message({ replaced: Type.Boolean() }),
  ),
  store: command(
    'user',
    { file: fileId, version, x: quarter, sealed, condition, body },
    message({ replaced: Type.Boolean() }),
  ),
  move: command(
    'user',
    { file: fileId, version, source: fileId, sourceVersion: version, sealed, condition },
    message({ replaced: Type.Boolean() }),
  ),
  'keep-open': command(
    'user',
    { upload, first: quarter, size, expires: count, sealed, done: Type.Boolean() },
    nothing,
  ),
  'keep-look': command('user', { upload }, Kept),
  'keep-list': command(
    'user',
    { after: bytes(0, UPLOAD_ID_BYTES) },
    message({ more: Type.Boolean(), body }),
  ),
  'keep-take': command('user', { upload, as: upload }, Kept),
  'keep-resume': command('user', { upload, number: count }, message({ body })),
  'keep-point': command(
    'user',
    { upload, number: count, rows: count, expires: count, sealed, body },
    nothing,
  ),
  'keep-done': command('user', { upload, sealed }, nothing),

  commit: command('user', { file: fileId, version }, nothing),
  'abort-upload': command('user', { upload }, nothing),
  'abort-version': command('user', { file: fileId, version }, nothing),
  delete: command(
    'user',
    { file: fileId, version, condition },
    message({ existed: Type.Boolean() }),
  ),

  status: command(
    'cluster',
    {},
    message({
      timeMs: count,
      startedMs: count,
      users: count,
      files: count,
      storedBytes: count,
      freeBytes: count,
      reserveBytes: count,
      diskBytes: count,
      connections: count,
      receivedBytes: count,
      sentBytes: count,
      pieceBytesReceived: count,
      pieceBytesSent: count,
      /** Versions that are prepared and not decided. */
      undecided: count,
      repair: RepairState,
      scrub: ScrubState,
    }),
  ),
  scrub: command('cluster', {}, nothing),

  'peer-prove': command(
    'cluster',
    { challenge: bytes(KEY_BYTES) },
    message({ proof: bytes(KEY_BYTES) }),
  ),
  'peer-accounts': command('cluster', page, message({ next: count, more: Type.Boolean(), body })),
  'peer-changes': command('cluster', page, message({ next: count, more: Type.Boolean(), body })),
  'peer-entry': command(
    'cluster',
    { file: fileId, version, decide: Type.Boolean() },
    message({ standing: Standing }),
  ),
  'peer-known': command(
    'cluster',
    { node: part, epoch: bytes(16) },
    message({ accounts: count, entries: count, lastAccount: count, lastEntry: count }),
  ),
  'peer-part': command(
    'cluster',
    { file: fileId, version, part },
    message({ rows, bytes: count, pieceBytes: count, checksum: uint32, body }),
  ),
}

export type Op = keyof typeof commands
export type RequestOf<O extends Op> = Static<(typeof commands)[O]['request']>
export type ResponseOf<O extends Op> = Static<(typeof commands)[O]['response']>
/** A request as it arrives: which command, and its checked fields. */
export type Request = { [O in Op]: { op: O } & RequestOf<O> }[Op]

/**
 * Checks the header of a request.
 * @throws DfsError BAD_MESSAGE naming the field
 */
export function checkRequest(header: Record<string, unknown>): Request {
  const op = header['op']
  if (typeof op !== 'string' || !Object.hasOwn(commands, op)) {
    throw new DfsError('BAD_MESSAGE', 'The request names no command that this node knows.')
  }
  const { op: _, ...fields } = header
  checkMessage(commands[op as Op].request, fields, `the ${op} request`)
  return header as Request
}

/** @throws DfsError BAD_MESSAGE naming the field */
export function checkResponse<O extends Op>(op: O, header: Record<string, unknown>): ResponseOf<O> {
  return checkMessage(commands[op].response, header, `the answer to ${op}`) as ResponseOf<O>
}

/** @throws DfsError BAD_MESSAGE naming the field */
export function checkMessage<S extends Shape>(shape: S, value: unknown, what: string): Static<S> {
  const fault = faultOf(shape, value)
  if (fault === undefined) return value as Static<S>
  const where = fault.path.join('/') || 'all of it'
  throw new DfsError('BAD_MESSAGE', `In ${what}, ${where}: ${fault.message}.`)
}

function message<P extends Properties>(properties: P) {
  return Type.Object(properties, { additionalProperties: false })
}

function command<Q extends Properties, R extends Shape>(
  audience: Audience,
  request: Q,
  response: R,
) {
  return { audience, request: message(request), response }
}

/** A CBOR byte string of `least` to `most` bytes. */
function bytes(least: number, most = least) {
  return Type.Refine(
    Type.Unsafe<Uint8Array>({}),
    (value) => value instanceof Uint8Array && value.byteLength >= least && value.byteLength <= most,
    () => `must be a byte string of ${least === most ? least : `${least} to ${most}`} bytes`,
  )
}
