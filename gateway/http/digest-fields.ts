// Digests in header fields: Repr-Digest, Content-Digest and their Want- fields (RFC 9530), and
// Content-MD5 (RFC 1864). Says which digests a client asks for and checks those that it sent. A
// file's own digest is its MD5; no other is kept.
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { DfsError } from '@fourfold/storage-node/protocol'

/** Names of the registry (section 7.2) that can be checked, and Node's names for them. */
const ALGORITHMS = new Map([
  ['sha-512', { hash: 'sha512', lengthBytes: 64 }],
  ['sha-256', { hash: 'sha256', lengthBytes: 32 }],
  // Deprecated there: good against accidents, not against people.
  ['sha', { hash: 'sha1', lengthBytes: 20 }],
  ['md5', { hash: 'md5', lengthBytes: 16 }],
])

const MD5_BYTES = 16
/** A field of digests is a few hundred bytes; the rest of a longer one is not looked at. */
const MAX_FIELD_LENGTH = 4096

export interface ExpectedDigest {
  /** As the registry names it. */
  algorithm: string
  bytes: Buffer
}

/** What a request says of the body that it brings. */
export interface BodyDigests {
  md5: Buffer | undefined
  /** The others. */
  digests: ExpectedDigest[]
}

/**
 * What the body of an upload must be. A file is stored as it is sent, so that the digest of the
 * content is that of the representation.
 * @throws DfsError BAD_REQUEST where a field cannot be read, or two of them disagree
 */
export function bodyDigests(headers: IncomingHttpHeaders): BodyDigests {
  const expected = [
    ...digestsOf('Content-Digest', headers['content-digest']),
    ...digestsOf('Repr-Digest', headers['repr-digest']),
  ]
  const fromMd5 = contentMd5(headers['content-md5'])
  if (fromMd5 !== undefined) expected.push({ algorithm: 'md5', bytes: fromMd5 })
  const byName = new Map<string, ExpectedDigest>()
  for (const digest of expected) {
    const known = byName.get(digest.algorithm)
    if (known !== undefined && !known.bytes.equals(digest.bytes)) {
      const message = `Two fields of the request give different ${digest.algorithm} digests.`
      throw new DfsError('BAD_REQUEST', message)
    }
    byName.set(digest.algorithm, digest)
  }
  const md5 = byName.get('md5')?.bytes
  byName.delete('md5')
  return { md5, digests: [...byName.values()] }
}

/**
 * `source`, which ends only if it is what `digests` say.
 * @throws DfsError DIGEST_MISMATCH at the end
 */
export async function* checkedSource(
  source: AsyncIterable<Buffer>,
  digests: readonly ExpectedDigest[],
): AsyncGenerator<Buffer> {
  const hashes = digests.map(({ algorithm }) => createHash(ALGORITHMS.get(algorithm)!.hash))
  for await (const bytes of source) {
    for (const hash of hashes) hash.update(bytes)
    yield bytes
  }
  for (const [at, { algorithm, bytes }] of digests.entries()) {
    if (hashes[at]!.digest().equals(bytes)) continue
    const message = `The ${algorithm} digest of what arrived is not the one promised.`
    throw new DfsError('DIGEST_MISMATCH', message)
  }
}

/**
 * The digest fields of an answer: Repr-Digest unless MD5 is refused, and on a whole answer the
 * digests of the content, which is then the same.
 */
export function digestHeaders(
  md5Hex: string,
  headers: IncomingHttpHeaders,
  isWhole: boolean,
): Record<string, string> {
  const base64 = Buffer.from(md5Hex, 'hex').toString('base64')
  const isWanted = wants(headers['want-repr-digest'])
  // Section 4: who asks for other algorithms may be answered with one that it did not name, but
  // not with one that it refused.
  const fields: Record<string, string> =
    isWanted === false ? {} : { 'repr-digest': `md5=:${base64}:` }
  if (!isWhole) return fields
  // RFC 2616 never said whether this is of the part or of the whole, so a part does not carry it.
  fields['content-md5'] = base64
  if (wants(headers['want-content-digest']) === true) fields['content-digest'] = `md5=:${base64}:`
  return fields
}

/** Whether MD5 is wanted; undefined where the field says nothing of it. */
function wants(field: string | string[] | undefined): boolean | undefined {
  if (field === undefined) return undefined
  for (const item of members(field)) {
    const match = /^([a-z*][\w.*-]*)=(\d{1,2})(?:;.*)?$/.exec(item)
    if (match?.[1] === 'md5') return Number(match[2]) > 0
  }
  return undefined
}

/** The digests of a field that can be checked; unknown algorithms are passed over (section 2). */
function digestsOf(name: string, field: string | string[] | undefined): ExpectedDigest[] {
  if (field === undefined) return []
  return members(field).flatMap((item) => {
    const match = /^([a-z*][\w.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:;.*)?$/.exec(item)
    if (match === null) {
      const message = `${name} is not a list of digests like sha-256=:BASE64: (RFC 9530).`
      throw new DfsError('BAD_REQUEST', message)
    }
    const [, algorithm = '', text = ''] = match
    const known = ALGORITHMS.get(algorithm)
    if (known === undefined) return []
    const bytes = Buffer.from(text, 'base64')
    if (bytes.length !== known.lengthBytes) {
      const message = `The ${algorithm} of ${name} is not ${known.lengthBytes} bytes in base64.`
      throw new DfsError('BAD_REQUEST', message)
    }
    return [{ algorithm, bytes }]
  })
}

/** The members of a dictionary whose values hold no comma (RFC 8941 section 3.2). */
function members(field: string | string[]): string[] {
  const text = String(field).slice(0, MAX_FIELD_LENGTH)
  return text.split(',').map((item) => item.trim())
}

/** RFC 1864: base64 of the 16 bytes. @throws DfsError BAD_REQUEST */
export function contentMd5(header: string | string[] | undefined): Buffer | undefined {
  if (header === undefined) return undefined
  const text = String(header).trim()
  const bytes = Buffer.from(text, 'base64')
  if (!/^[A-Za-z0-9+/]{22}==$/.test(text) || bytes.length !== MD5_BYTES) {
    const message = 'Content-MD5 is not the base64 of the 16 bytes of an MD5 (RFC 1864).'
    throw new DfsError('BAD_REQUEST', message)
  }
  return bytes
}
