// What the tests of /uploads share: requests of tus 1.0.0 as a signed-in user, to one gateway.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type CallOptions, call } from './client.ts'

export const BODY = 'application/offset+octet-stream'

type Options = Omit<CallOptions, 'headers'> & { headers?: Record<string, string> }

export const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex')
export const meta = (pairs: Record<string, string>) =>
  Object.entries(pairs)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',')

/** Requests to the gateway at the address that `url` answers. */
export function tusClient(url: () => string) {
  /** One request of tus to an address or a path. */
  function tus(target: string, options: Options = {}) {
    const headers = { 'tus-resumable': '1.0.0', ...options.headers }
    return call(new URL(target, url()).href, { ...options, headers })
  }

  /** Opens an upload and answers its address. */
  async function open(
    name: string,
    sizeBytes: number | undefined,
    headers: Record<string, string> = {},
  ): Promise<string> {
    const length: Record<string, string> =
      sizeBytes === undefined
        ? { 'upload-defer-length': '1' }
        : { 'upload-length': String(sizeBytes) }
    const answer = await tus('/uploads', {
      method: 'POST',
      headers: { ...length, 'upload-metadata': meta({ filename: name }), ...headers },
    })
    assert.equal(answer.status, 201, answer.text)
    return answer.headers.location!
  }

  const patch = (at: string, offset: number, body: Buffer, headers: Record<string, string> = {}) =>
    tus(at, {
      method: 'PATCH',
      body,
      headers: { 'content-type': BODY, 'upload-offset': String(offset), ...headers },
    })
  const head = (at: string) => tus(at, { method: 'HEAD' })
  const get = (name: string) => call(`${url()}/files/${name}`)
  return { tus, open, patch, head, get }
}
