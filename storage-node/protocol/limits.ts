// Every number that both ends of the wire must agree on, each with its reason.

/** Version of the wire protocol; the third byte of every frame. */
export const PROTOCOL_VERSION = 1

/** Nodes in the ring, lanes of a row, parts of a version. */
export const NODE_COUNT = 4

/**
 * Plaintext bytes sealed as one. Above 512 KiB throughput no longer grows; memory per transfer
 * does.
 */
export const ROW_BYTES = 1_048_576

/** The AES-GCM tag that follows the ciphertext of a row. */
export const TAG_BYTES = 16

/** Longest CBOR header of a frame. Nothing but a sealed description (a name of 1 KiB) is long. */
export const MAX_HEADER_BYTES = 65_536

/** Longest proof of a frame: a user name of 255 bytes and 50 bytes of counter and proof. */
export const MAX_PROOF_BYTES = 512

/**
 * Longest body: two pieces of a full row are 524,296 bytes; a page of the catalog stays below too.
 */
export const MAX_BODY_BYTES = 1_048_576

/** Sections of one body: the two pieces of a row are the most that anything sends. */
export const MAX_SECTIONS = 4

/** A sealed description is at most this long: a name, a media type, and 256 attempts. */
export const MAX_SEALED_BYTES = 8192

/** Longest file name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 1024

/** Longest media type that is kept with a file, in bytes. */
export const MAX_TYPE_BYTES = 255

/** Rows of one version: 2^40 rows are 2^60 bytes, beyond any disk and inside a double. */
export const MAX_ROWS = 2 ** 40

/** Entries in one page for peers; a page is also cut at half of MAX_BODY_BYTES. */
export const MAX_PAGE_ENTRIES = 1000

/** Entries in one page of `changes`: a node is busy with one for a few milliseconds. */
export const MAX_CHANGES = 4096

/** Kept uploads in one page of `keep-list`: each has at most two sealed states. */
export const MAX_PAGE_KEPT = 32

/** Users in one page of `account-list`: at 257 bytes each they fit into a header. */
export const MAX_PAGE_USERS = 200

/** PBKDF2 rounds of new accounts (OWASP's figure for HMAC-SHA-256). */
export const DEFAULT_ROUNDS = 600_000

/** RFC 7677 section 4 asks for at least 4096; a node that asks for fewer is not believed. */
export const MIN_ROUNDS = 4096

/** A node that asks for more would only burn the client's time. */
export const MAX_ROUNDS = 10_000_000
