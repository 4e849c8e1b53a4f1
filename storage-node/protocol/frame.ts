// The frame: the one shape of everything that crosses a socket between a node and its clients.
// Encodes the head of a frame and checks the head of one that arrives; bodies stay raw and apart,
// so that bulk bytes are never copied together. Grammar (numbers big-endian):
//
//   frame   = prelude header proof body
//   prelude = magic(2 "4F") version(1) kind(1) id(4) headerLength(4) bodyLength(4) proofLength(2)
//             zero(2) checksum(4)                                                       ; 24 bytes
//   header  = CBOR map (RFC 8949 section 4.2.1, deterministic); `body` in it lists the sections
//   proof   = empty, or by(1) counter(8) clientProof(32) user(UTF-8)
//   body    = sections, end to end
//
// checksum is the CRC-32 (ISO 3309, as in zlib) of prelude bytes 0..19, header and proof.
import { crc32 } from 'node:zlib'
import { decode, encode } from 'cborg'
import { DfsError } from './errors.ts'
import {
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_PROOF_BYTES,
  MAX_SECTIONS,
  PROTOCOL_VERSION,
} from './limits.ts'
import { KEY_BYTES, type Prover } from './scram.ts'

export const PRELUDE_BYTES = 24
/** by, counter and clientProof, before the user name. */
export const PROOF_FIXED_BYTES = 1 + 8 + KEY_BYTES

/** What a frame is. A request is answered by one or more responses with its id, or by one error. */
export const FrameKind = { greeting: 0, request: 1, response: 2, error: 3 } as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

/** Length and CRC-32 of one section of a body. */
export type Section = [lengthBytes: number, crc: number]

export interface Proof {
  by: Prover
  counter: number
  clientProof: Uint8Array
  /** Folded user name; empty for commands of the cluster that mean no user. */
  user: string
}

/** The first 24 bytes, understood and within every limit. */
export interface Prelude {
  kind: FrameKind
  id: number
  headerLength: number
  bodyLength: number
  proofLength: number
}

/** A frame's head, complete and undamaged; the body follows. */
export interface FrameHead {
  kind: FrameKind
  id: number
  /** The header as it was sent: what the proof covers. */
  headerBytes: Uint8Array
  header: Record<string, unknown>
  proof: Proof | undefined
  sections: readonly Section[]
  bodyLength: number
}

export interface FrameOptions {
  kind: FrameKind
  id: number
  header: Uint8Array
  proof?: Proof
  bodyLength?: number
}

/** The header as it travels. Keep the bytes: the proof is made over them. */
export function encodeHeader(fields: object): Uint8Array {
  return encode(fields)
}

/** The head of a frame (prelude, header, proof) in one buffer; the body is sent after it. */
export function encodeFrameHead(options: FrameOptions): Buffer {
  const user = options.proof === undefined ? undefined : Buffer.from(options.proof.user)
  const proofLength = user === undefined ? 0 : PROOF_FIXED_BYTES + user.length
  const frame = Buffer.allocUnsafe(PRELUDE_BYTES + options.header.length + proofLength)
  frame.write('4F', 0, 'latin1')
  frame.writeUInt8(PROTOCOL_VERSION, 2)
  frame.writeUInt8(options.kind, 3)
  frame.writeUInt32BE(options.id, 4)
  frame.writeUInt32BE(options.header.length, 8)
  frame.writeUInt32BE(options.bodyLength ?? 0, 12)
  frame.writeUInt16BE(proofLength, 16)
  frame.writeUInt16BE(0, 18)
  frame.set(options.header, PRELUDE_BYTES)
  if (options.proof !== undefined && user !== undefined) {
    const at = PRELUDE_BYTES + options.header.length
    frame.writeUInt8(options.proof.by === 'user' ? 0 : 1, at)
    frame.writeBigUInt64BE(BigInt(options.proof.counter), at + 1)
    frame.set(options.proof.clientProof, at + 9)
    frame.set(user, at + PROOF_FIXED_BYTES)
  }
  frame.writeUInt32BE(checksum(frame.subarray(0, 20), frame.subarray(PRELUDE_BYTES)), 20)
  return frame
}

/** The sections that a body made of `parts` is announced with. */
export function sectionsOf(parts: readonly Uint8Array[]): Section[] {
  return parts.map((part) => [part.length, crc32(part)])
}

/**
 * Reads a prelude. After any of its errors framing is lost: say so and close.
 * @throws DfsError BAD_FRAME, PROTOCOL_VERSION, FRAME_TOO_LONG
 */
export function decodePrelude(bytes: Buffer): Prelude {
  if (bytes[0] !== 0x34 || bytes[1] !== 0x46) {
    throw new DfsError('BAD_FRAME', 'These bytes do not begin a Fourfold frame.')
  }
  if (bytes[2] !== PROTOCOL_VERSION) {
    throw new DfsError(
      'PROTOCOL_VERSION',
      `The frame is of protocol version ${bytes[2]}; this end speaks version ${PROTOCOL_VERSION}.`,
      { detail: { speaks: PROTOCOL_VERSION } },
    )
  }
  const kind = bytes[3]!
  if (kind > FrameKind.error || bytes.readUInt16BE(18) !== 0) {
    throw new DfsError(
      'BAD_FRAME',
      'The frame has an unknown kind or a reserved field is not zero.',
    )
  }
  const prelude: Prelude = {
    kind: kind as FrameKind,
    id: bytes.readUInt32BE(4),
    headerLength: bytes.readUInt32BE(8),
    bodyLength: bytes.readUInt32BE(12),
    proofLength: bytes.readUInt16BE(16),
  }
  checkLength('header', prelude.headerLength, MAX_HEADER_BYTES)
  checkLength('body', prelude.bodyLength, MAX_BODY_BYTES)
  checkLength('proof', prelude.proofLength, MAX_PROOF_BYTES)
  return prelude
}

/**
 * Reads header and proof, `rest`, that follow `preludeBytes`. The result keeps no reference to
 * either.
 * @throws DfsError FRAME_DAMAGED, BAD_FRAME
 */
export function decodeFrameHead(prelude: Prelude, preludeBytes: Buffer, rest: Buffer): FrameHead {
  if (checksum(preludeBytes.subarray(0, 20), rest) !== preludeBytes.readUInt32BE(20)) {
    throw new DfsError('FRAME_DAMAGED', 'The checksum of the frame head does not match its bytes.')
  }
  const headerBytes = Buffer.from(rest.subarray(0, prelude.headerLength))
  const header = decodeMap(headerBytes)
  const sections = decodeSections(header['body'], prelude.bodyLength)
  const proof = decodeProof(rest.subarray(prelude.headerLength))
  const { kind, id, bodyLength } = prelude
  return { kind, id, headerBytes, header, proof, sections, bodyLength }
}

/**
 * One CBOR value, strictly: no indefinite lengths, no duplicate keys, no tags, no NaN, no big
 * numbers.
 * @throws DfsError BAD_FRAME
 */
export function decodeStrict(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, {
      strict: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowNaN: false,
      allowInfinity: false,
      allowBigInt: false,
      rejectDuplicateMapKeys: true,
    })
  } catch (cause) {
    throw new DfsError('BAD_FRAME', 'The CBOR in the frame cannot be read.', { cause })
  }
}

function decodeMap(bytes: Uint8Array): Record<string, unknown> {
  const value = decodeStrict(bytes)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DfsError('BAD_FRAME', 'The frame header is not a CBOR map.')
  }
  return value as Record<string, unknown>
}

function decodeSections(value: unknown, bodyLength: number): Section[] {
  const list = value === undefined ? [] : value
  const isList = Array.isArray(list) && list.length <= MAX_SECTIONS && list.every(isSection)
  if (!isList || list.reduce((sum: number, [length]) => sum + length, 0) !== bodyLength) {
    throw new DfsError('BAD_FRAME', 'The sections in the header do not describe the body.')
  }
  return list
}

function isSection(value: unknown): value is Section {
  return Array.isArray(value) && value.length === 2 && value.every(isUint32)
}

function isUint32(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff
}

function decodeProof(bytes: Buffer): Proof | undefined {
  if (bytes.length === 0) return undefined
  const counter = bytes.length < PROOF_FIXED_BYTES ? Number.NaN : Number(bytes.readBigUInt64BE(1))
  if (bytes[0]! > 1 || !Number.isSafeInteger(counter)) {
    throw new DfsError('BAD_FRAME', 'The proof of the frame is cut short or malformed.')
  }
  return {
    by: bytes[0] === 0 ? 'user' : 'cluster',
    counter,
    clientProof: Buffer.from(bytes.subarray(9, PROOF_FIXED_BYTES)),
    user: bytes.toString('utf8', PROOF_FIXED_BYTES),
  }
}

function checksum(prelude: Uint8Array, rest: Uint8Array): number {
  return crc32(rest, crc32(prelude))
}

function checkLength(what: string, length: number, limit: number): void {
  if (length > limit) {
    const message = `The ${what} of the frame is ${length} bytes; at most ${limit} are allowed.`
    throw new DfsError('FRAME_TOO_LONG', message, { detail: { limit } })
  }
}
