// What each error means in HTTP: its status, and the problem document (RFC 9457) that tells it.
// Pure; who sends it, and as which media type, is not known here.
import {
  codes,
  DfsError,
  type ErrorCode,
  nodeName,
  toDfsError,
} from '@fourfold/storage-node/protocol'

/** HTTP status of every code. A code without a status does not compile. */
export const statuses = {
  // What a node said wrongly is the gateway's upstream failing (RFC 9110 section 15.6.3).
  BAD_FRAME: 502,
  FRAME_TOO_LONG: 502,
  FRAME_DAMAGED: 502,
  PROTOCOL_VERSION: 502,
  BAD_MESSAGE: 502,
  OUT_OF_ORDER: 502,
  // The client let the body stand still.
  IDLE_TIMEOUT: 408,
  TOO_MANY_CONNECTIONS: 503,
  AUTH_REQUIRED: 401,
  AUTH_FAILED: 401,
  AUTH_THROTTLED: 429,
  FORBIDDEN: 403,
  ORIGIN_REFUSED: 403,
  USERNAME_INVALID: 400,
  PASSWORD_WRONG: 403,
  PASSWORD_INVALID: 400,
  ACCOUNT_EXISTS: 409,
  ACCOUNT_UNKNOWN: 404,
  NAME_INVALID: 400,
  FILE_NOT_FOUND: 404,
  PRECONDITION_FAILED: 412,
  NAME_EXISTS: 412,
  STALE_VERSION: 409,
  RANGE_NOT_SATISFIABLE: 416,
  // Understood, well-formed, and not what it says it is (RFC 9110 section 15.5.21).
  DIGEST_MISMATCH: 422,
  LENGTH_MISMATCH: 400,
  TOO_LARGE: 413,
  UPLOAD_UNKNOWN: 404,
  UPLOAD_EXISTS: 409,
  UPLOAD_LOCKED: 423,
  OFFSET_MISMATCH: 409,
  COUNT_MISMATCH: 502,
  NO_SPACE: 507,
  DISK_FAILED: 502,
  PART_MISSING: 502,
  DAMAGED: 502,
  NODE_GONE: 503,
  NODE_TIMEOUT: 504,
  NODE_FOREIGN: 502,
  NODES_UNAVAILABLE: 503,
  PARTS_UNAVAILABLE: 503,
  OUTCOME_UNKNOWN: 503,
  TOO_MANY_FILES: 507,
  BUSY: 503,
  ABORTED: 400,
  BAD_REQUEST: 400,
  FORM_INVALID: 400,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  USAGE: 400,
  CONF_INVALID: 500,
  FOLDER_IN_USE: 500,
  FOLDER_FOREIGN: 500,
  PORT_IN_USE: 500,
  INTERNAL: 500,
} as const satisfies Record<ErrorCode, number>

/** The document of RFC 9457, with our members after its own. */
export interface Problem {
  /** `urn:fourfold:error:NODES_UNAVAILABLE` */
  type: string
  /** The code in plain words; the same for every problem of the type. */
  title: string
  status: number
  /** What happened this time, one sentence. */
  detail: string
  code: ErrorCode
  /** What a person can do. */
  hint: string
  /** Nodes that are the cause, e.g. `['DFS3']`. */
  nodes?: string[]
  /** Parts 1..4 that are out of reach. */
  parts?: number[]
  /** Files of a form that are stored all the same. */
  files?: unknown[]
  /** Names that are the cause, where it is not the one that the request names. */
  names?: string[]
  /** How far the move of a folder came: repeating it moves the rest. */
  moved?: number
  left?: number
}

/** An error on its way out of the gateway: what happened, and how HTTP says it. */
export interface Failure {
  error: DfsError
  status: number
  /** Header fields that belong to the answer, lower case. */
  headers: Record<string, string>
}

/** How long a client should wait before it tries again, seconds (RFC 9110 section 10.2.3). */
const RETRY_AFTER_S = 5

/**
 * Gives anything thrown as what HTTP answers. Fastify's own errors carry a `statusCode`; below
 * 500 their sentence is about the request and may be told, anything else that is no DfsError is
 * INTERNAL and is not.
 */
export function toFailure(thrown: unknown): Failure {
  const error = thrown instanceof DfsError ? thrown : fromFastify(thrown)
  const status = statusOf(thrown) ?? statuses[error.code]
  return { error, status, headers: headersOf(error, status) }
}

export function toProblem({ error, status }: Failure): Problem {
  const { parts, files, names, moved, left } = error.detail
  const nodes =
    error.detail.nodes ?? (error.node === undefined ? undefined : [nodeName(error.node - 1)])
  const isInternal = error.code === 'INTERNAL'
  return {
    type: `urn:fourfold:error:${error.code}`,
    title: titleOf(error.code),
    status,
    detail: isInternal ? 'Something went wrong inside Fourfold.' : error.message,
    code: error.code,
    hint: codes[error.code].hint,
    ...(Array.isArray(nodes) ? { nodes } : {}),
    ...(Array.isArray(parts) ? { parts } : {}),
    ...(Array.isArray(files) ? { files } : {}),
    ...(Array.isArray(names) ? { names } : {}),
    ...(typeof moved === 'number' && typeof left === 'number' ? { moved, left } : {}),
  }
}

/** `NODES_UNAVAILABLE` as `Nodes unavailable`. */
export function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const fastifyCodes: Record<number, ErrorCode> = {
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'IDLE_TIMEOUT',
  413: 'TOO_LARGE',
  503: 'BUSY',
}

function fromFastify(thrown: unknown): DfsError {
  const status = statusOf(thrown)
  if (status === undefined) return toDfsError(thrown)
  const code = fastifyCodes[status] ?? (status < 500 ? 'BAD_REQUEST' : 'INTERNAL')
  return new DfsError(code, sentenceOf((thrown as Error).message), { cause: thrown })
}

function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof DfsError) return detailNumber(thrown, 'httpStatus')
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return undefined
  const status = thrown.statusCode
  return typeof status === 'number' && status >= 400 && status < 600 ? status : undefined
}

/** Fastify's messages lack capitals and full stops. */
function sentenceOf(message: string): string {
  const [line = ''] = message.split('\n')
  const capital = line.charAt(0).toUpperCase() + line.slice(1)
  return capital.endsWith('.') ? capital : `${capital}.`
}

function headersOf(error: DfsError, status: number): Record<string, string> {
  if (![423, 429, 503].includes(status)) return {}
  const waitMs = detailNumber(error, 'retryAfterMs')
  const waitS = waitMs === undefined ? RETRY_AFTER_S : Math.max(1, Math.ceil(waitMs / 1000))
  return { 'retry-after': String(waitS) }
}

function detailNumber(error: DfsError, key: string): number | undefined {
  const value = error.detail[key]
  return typeof value === 'number' ? value : undefined
}
