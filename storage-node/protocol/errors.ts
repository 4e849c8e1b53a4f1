// The errors of Fourfold: one class and one table of codes, shared by nodes, gateway and terminal.
// Knows nothing of sockets or HTTP; gateway/http/errors.ts gives each code its status.

/**
 * What each code means to whoever meets it. `retry`: the same request may succeed later without a
 * change. `hint`: what a person can do, one sentence, shown by `dfc: hint:`.
 */
export const codes = {
  // The wire: framing and messages.
  BAD_FRAME: { retry: false, hint: 'Check that both ends speak the Fourfold protocol.' },
  FRAME_TOO_LONG: {
    retry: false,
    hint: 'Send smaller frames; the limits are in the protocol README.',
  },
  FRAME_DAMAGED: { retry: true, hint: 'The bytes changed on their way; send them again.' },
  PROTOCOL_VERSION: { retry: false, hint: 'Run the same release of Fourfold on both ends.' },
  BAD_MESSAGE: { retry: false, hint: 'Send the fields that the protocol README names.' },
  OUT_OF_ORDER: { retry: false, hint: 'Send rows in order, each once.' },
  IDLE_TIMEOUT: { retry: true, hint: 'Connect again.' },
  TOO_MANY_CONNECTIONS: { retry: true, hint: 'Raise limits.connections in dfs.conf, or wait.' },
  // Who is asking.
  AUTH_REQUIRED: { retry: false, hint: 'Send a user name and a password.' },
  AUTH_FAILED: { retry: false, hint: 'Check the user name and the password.' },
  AUTH_THROTTLED: { retry: true, hint: 'Wait a little before the next try.' },
  FORBIDDEN: { retry: false, hint: 'This command needs the cluster key.' },
  ORIGIN_REFUSED: { retry: false, hint: 'Use the page at its own address.' },
  USERNAME_INVALID: { retry: false, hint: 'Use 1 to 64 letters, digits and . _ - + @' },
  PASSWORD_WRONG: { retry: false, hint: 'Type your current password again.' },
  PASSWORD_INVALID: { retry: false, hint: 'Use 8 to 1024 bytes.' },
  ACCOUNT_EXISTS: { retry: false, hint: 'Choose another name, or change its password.' },
  ACCOUNT_UNKNOWN: { retry: false, hint: 'dfc user list shows the accounts.' },
  // Files.
  NAME_INVALID: {
    retry: false,
    hint: 'Use 1 to 1024 bytes of UTF-8, without empty or dot segments.',
  },
  FILE_NOT_FOUND: { retry: false, hint: 'Look at the listing for the names that exist.' },
  PRECONDITION_FAILED: { retry: false, hint: 'The file changed; look at it again first.' },
  NAME_EXISTS: { retry: false, hint: 'Choose another name, or say that it is to be replaced.' },
  STALE_VERSION: { retry: true, hint: 'A newer version exists; take a greater version.' },
  RANGE_NOT_SATISFIABLE: { retry: false, hint: 'Ask for bytes inside the file.' },
  DIGEST_MISMATCH: {
    retry: true,
    hint: 'The bytes that arrived are not the bytes promised; send again.',
  },
  LENGTH_MISMATCH: { retry: true, hint: 'The body ended early; send it again.' },
  TOO_LARGE: { retry: false, hint: 'Send less in one request.' },
  // Uploads on a node.
  UPLOAD_UNKNOWN: { retry: false, hint: 'Start the upload again.' },
  UPLOAD_EXISTS: { retry: false, hint: 'Take a new random upload id.' },
  UPLOAD_LOCKED: { retry: true, hint: 'Wait a little, ask for the offset, and go on from there.' },
  OFFSET_MISMATCH: { retry: true, hint: 'Ask for the offset, and go on from there.' },
  COUNT_MISMATCH: { retry: true, hint: 'The node holds other bytes than were sent; send again.' },
  NO_SPACE: {
    retry: true,
    hint: 'Free disk on the node, or lower disk.reserve_bytes in dfs.conf.',
  },
  DISK_FAILED: { retry: true, hint: 'Look at the disk of the node and at its log.' },
  PART_MISSING: { retry: true, hint: 'The twin node has the other copy.' },
  DAMAGED: { retry: true, hint: 'The twin node has the other copy.' },
  // The cluster as seen by its client.
  NODE_GONE: { retry: true, hint: 'Start the node again.' },
  NODE_TIMEOUT: { retry: true, hint: 'Look whether the node hangs or its disk is slow.' },
  NODE_FOREIGN: {
    retry: false,
    hint: 'Check the node addresses in dfc.conf: each must be its own node.',
  },
  NODES_UNAVAILABLE: { retry: true, hint: 'Start the nodes that are named.' },
  PARTS_UNAVAILABLE: { retry: true, hint: 'Start one of the nodes that are named.' },
  OUTCOME_UNKNOWN: { retry: true, hint: 'Try again: repeating it is safe.' },
  TOO_MANY_FILES: {
    retry: false,
    hint: 'Raise limits.listed_files in dfc.conf; a million files take about 200 MB.',
  },
  BUSY: { retry: true, hint: 'Wait a little and try again.' },
  ABORTED: { retry: true, hint: 'The request was given up before its end.' },
  // Requests of people and programs.
  BAD_REQUEST: { retry: false, hint: 'Compare the request with /openapi.json.' },
  FORM_INVALID: { retry: false, hint: 'Send multipart/form-data with at least one file field.' },
  NOT_FOUND: { retry: false, hint: 'Look at /openapi.json for the paths that exist.' },
  METHOD_NOT_ALLOWED: { retry: false, hint: 'Use one of the methods in the Allow header.' },
  USAGE: { retry: false, hint: 'Type help for the commands.' },
  // Starting up.
  CONF_INVALID: { retry: false, hint: 'Compare the file with the commented examples in conf/.' },
  FOLDER_IN_USE: {
    retry: false,
    hint: 'Stop the other process, or give this node its own folder.',
  },
  FOLDER_FOREIGN: { retry: false, hint: 'Give each node the folder that it made itself.' },
  PORT_IN_USE: { retry: false, hint: 'Stop the program on that port, or choose another port.' },
  INTERNAL: { retry: true, hint: 'This is a fault of Fourfold; the log says more.' },
} as const satisfies Record<string, { retry: boolean; hint: string }>

export type ErrorCode = keyof typeof codes

export interface DfsErrorOptions {
  /** The node where it happened, 1..4. */
  node?: number
  /** Facts for programs, e.g. `{ nodes: ['DFS3'], parts: [2] }`; nothing secret. */
  detail?: Record<string, unknown>
  cause?: unknown
}

/** Every expected failure of Fourfold. `message` is a whole sentence for a person. */
export class DfsError extends Error {
  override readonly name = 'DfsError'
  readonly code: ErrorCode
  readonly node: number | undefined
  readonly detail: Record<string, unknown>

  constructor(code: ErrorCode, message: string, options: DfsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.node = options.node
    this.detail = options.detail ?? {}
  }

  get canRetry(): boolean {
    return codes[this.code].retry
  }
}

/** Claims that `value`, which came from outside, is one of our codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(codes, value)
}

/** Gives any thrown value as a DfsError; what is not one becomes `code` (INTERNAL unless told). */
export function toDfsError(error: unknown, code: ErrorCode = 'INTERNAL'): DfsError {
  if (error instanceof DfsError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new DfsError(code, message, { cause: error })
}
