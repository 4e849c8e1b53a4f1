// The header fields of tus 1.0.0 (https://tus.io/protocols/resumable-upload), from text to values.
// Pure; what they are used for is tus.ts's.
import { DfsError, MAX_TYPE_BYTES } from '@fourfold/storage-node/protocol'
import { LAST_TIME_MS } from '../dfs/description.ts'
import type { KeptRequest } from '../dfs/kept-info.ts'
import { isMediaType } from './served-file.ts'

export const TUS_VERSION = '1.0.0'
export const BODY_TYPE = 'application/offset+octet-stream'
export const EXTENSIONS =
  'creation,creation-with-upload,creation-defer-length,expiration,checksum,termination'
export const CHECKSUMS = ['md5', 'sha1', 'sha256', 'crc32'] as const
/** What a number of bytes can be here. */
export const MAX_SIZE_BYTES = Number.MAX_SAFE_INTEGER

export type ChecksumName = (typeof CHECKSUMS)[number]

export interface Checksum {
  name: ChecksumName
  value: Buffer
}

/** A field that counts bytes. @throws DfsError BAD_REQUEST, TOO_LARGE */
export function byteCount(field: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text.trim())) throw bad(`${field} is not a number of bytes.`)
  const count = Number(text)
  if (count <= MAX_SIZE_BYTES) return count
  throw new DfsError('TOO_LARGE', `${field} is more than a file can have.`)
}

/**
 * Upload-Metadata: pairs with commas between them, each a key and, after a space, base64. A key
 * without a value has an empty one.
 * @throws DfsError BAD_REQUEST where a key is empty, no ASCII or there twice, or a value no base64
 */
export function metadataOf(header: string | undefined): Map<string, Buffer> {
  const pairs = new Map<string, Buffer>()
  if (header === undefined || header.trim() === '') return pairs
  for (const pair of header.split(',')) {
    const [key = '', value = '', ...rest] = pair.trim().split(' ')
    const isText = /^[\x21-\x7e]+$/.test(key) && rest.length === 0
    const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(value)
    if (!isText || !isBase64 || pairs.has(key)) {
      throw bad('Upload-Metadata is not a list of different keys, each with base64.')
    }
    pairs.set(key, Buffer.from(value, 'base64'))
  }
  return pairs
}

/**
 * What the metadata say of the file: `filename` (with folders), `filetype`, `md5` (hex or base64),
 * `lastModified` (milliseconds since 1970, or a date).
 * @throws DfsError BAD_REQUEST, NAME_INVALID
 */
export function fileOf(header: string | undefined): Omit<KeptRequest, 'sizeBytes' | 'condition'> {
  const pairs = metadataOf(header)
  const name = textOf(pairs.get('filename') ?? pairs.get('name'))
  if (name === '') {
    throw new DfsError('NAME_INVALID', 'Upload-Metadata has no filename, or one that is not UTF-8.')
  }
  const type = textOf(pairs.get('filetype'))
  const md5 = md5Of(pairs.get('md5'))
  const modifiedMs = timeOf(textOf(pairs.get('lastModified')))
  if (type !== '' && (!isMediaType(type) || Buffer.byteLength(type) > MAX_TYPE_BYTES)) {
    throw bad(`The filetype is no media type of at most ${MAX_TYPE_BYTES} bytes.`)
  }
  return {
    ...{ name, type, note: header ?? '' },
    ...(md5 !== undefined && { md5 }),
    ...(modifiedMs !== undefined && { modifiedMs }),
  }
}

/** Upload-Checksum: an algorithm and base64. @throws DfsError BAD_REQUEST */
export function checksumOf(header: string | undefined): Checksum | undefined {
  if (header === undefined) return undefined
  const [word = '', text = '', ...rest] = header.trim().split(/ +/)
  const name = CHECKSUMS.find((one) => one === word.toLowerCase())
  if (name === undefined) throw bad(`Upload-Checksum takes ${CHECKSUMS.join(', ')}.`)
  const value = Buffer.from(text, 'base64')
  const lengthBytes = { md5: 16, sha1: 20, sha256: 32, crc32: 4 }[name]
  if (rest.length > 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text) || value.length !== lengthBytes) {
    throw bad(`Upload-Checksum is not the base64 of the ${lengthBytes} bytes of ${name}.`)
  }
  return { name, value }
}

/** The text of a value; empty where there is none or it is no UTF-8. */
function textOf(bytes: Buffer | undefined): string {
  if (bytes === undefined) return ''
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw bad('A value of Upload-Metadata is not UTF-8.')
  }
}

function md5Of(bytes: Buffer | undefined): Buffer | undefined {
  const text = bytes?.toString('latin1') ?? ''
  if (text === '') return undefined
  if (/^[0-9a-fA-F]{32}$/.test(text)) return Buffer.from(text, 'hex')
  if (/^[A-Za-z0-9+/]{22}==$/.test(text)) return Buffer.from(text, 'base64')
  throw bad('The md5 of Upload-Metadata is neither 32 hex digits nor base64 of 16 bytes.')
}

function timeOf(text: string): number | undefined {
  if (text === '') return undefined
  const timeMs = /^-?\d+(\.\d+)?$/.test(text) ? Math.floor(Number(text)) : Date.parse(text)
  if (!Number.isSafeInteger(timeMs) || timeMs > LAST_TIME_MS)
    throw bad('The lastModified of Upload-Metadata is no time.')
  return Math.max(0, timeMs)
}

function bad(message: string): DfsError {
  return new DfsError('BAD_REQUEST', message)
}
