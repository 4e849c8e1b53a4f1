// Uploads and downloads of any size through a gateway, as a stream that is made and checked on the
// way.
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { request } from 'undici'

const PART = Buffer.alloc(1_048_576)
for (let at = 0; at < PART.length; at += 4) PART.writeUInt32LE((at * 2_654_435_761) >>> 0, at)

export interface TransferResult {
  seconds: number
  md5: string
}

export interface TransferRequest {
  url: string
  authorization: string
  sizeBytes: number
}

/** `sizeBytes` bytes, the same ones every time. */
async function* content(sizeBytes: number): AsyncGenerator<Buffer> {
  for (let left = sizeBytes; left > 0; left -= PART.length) {
    yield left >= PART.length ? PART : PART.subarray(0, left)
  }
}

export async function upload({
  url,
  authorization,
  sizeBytes,
}: TransferRequest): Promise<TransferResult> {
  const startedMs = performance.now()
  const answer = await request(url, {
    method: 'PUT',
    headers: { authorization, 'content-length': String(sizeBytes) },
    body: Readable.from(content(sizeBytes)),
    headersTimeout: 0,
  })
  const body = (await answer.body.json()) as { md5?: string; detail?: string }
  if (answer.statusCode >= 300) throw new Error(`upload: ${answer.statusCode} ${body.detail}`)
  return { seconds: (performance.now() - startedMs) / 1000, md5: body.md5! }
}

export async function download({
  url,
  authorization,
  sizeBytes,
}: TransferRequest): Promise<TransferResult> {
  const startedMs = performance.now()
  const answer = await request(url, { headers: { authorization } })
  const hash = createHash('md5')
  let receivedBytes = 0
  for await (const part of answer.body as AsyncIterable<Buffer>) {
    hash.update(part)
    receivedBytes += part.length
  }
  if (receivedBytes !== sizeBytes)
    throw new Error(`download: ${receivedBytes} of ${sizeBytes} bytes`)
  return { seconds: (performance.now() - startedMs) / 1000, md5: hash.digest('hex') }
}
