// Digests in header fields: Repr-Digest, Content-Digest and their Want- fields (RFC 9530), and
// Content-MD5 (RFC 1864). Says which digests a client asks for and checks those that it sent. Of a
// file its MD5 is known, and the SHA-256 where its uploader told it.
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

/** Of a file, in hex. */
export interface KnownDigests {
  md5: string
  sha256?: string
}

/**
 * The digest fields of an answer: Repr-Digest unless all is refused that is known, and on a whole
 * answer the digests of the content, which is then the same.
 */
export function digestHeaders(
  file: KnownDigests,
  headers: IncomingHttpHeaders,
  isWhole: boolean,
): Record<string, string> {
  const md5 = Buffer.from(file.md5, 'hex').toString('base64')
  const known = new Map([['md5', md5]])
  if (file.sha256 !== undefined) {
    known.set('sha-256', Buffer.from(file.sha256, 'hex').toString('base64'))
  }
  const names = [...known.keys()]
  const wantedBy = (wishes: Map<string, number>) =>
    names.filter((name) => (wishes.get(name) ?? 0) > 0)
  const ofFile = wishesOf(headers['want-repr-digest'])
  const asked = wantedBy(ofFile)
  // Section 4: who asks for other algorithms may be answered with one that it did not name, but
  // not with one that it refused.
  const told = asked.length > 0 ? asked : names.filter((name) => !ofFile.has(name))
  const field = (some: string[]) => some.map((name) => `${name}=:${known.get(name)}:`).join(', ')
  const fields: Record<string, string> = told.length === 0 ? {} : { 'repr-digest': field(told) }
  if (!isWhole) return fields
  // RFC 2616 never said whether this is of the part or of the whole, so a part does not carry it.
  fields['content-md5'] = md5
  const sent = wantedBy(wishesOf(headers['want-content-digest']))
  if (sent.length > 0) fields['content-digest'] = field(sent)
  return fields
}

/** How much each algorithm is wanted, 0 (refused) to 10. */
function wishesOf(field: string | string[] | undefined): Map<string, number> {
  if (field === undefined) return new Map()
  return new Map(
    members(field).flatMap((item): [string, number][] => {
      const match = /^([a-z*][\w.*-]*)=(\d{1,2})(?:;.*)?$/.exec(item)
      return match === null ? [] : [[match[1]!, Number(match[2])]]
    }),
  )
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
