// Two thousand broken copies of valid HTTP requests: the gateway answers or closes, has no fault of
// its own, keeps what it had, and grows no larger. FOURFOLD_SEED repeats a run.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { BASIC, BOUNDARY, call, FORM_TYPE, formBody } from '../gateway/http/client.ts'
import { startCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { below, type Random, randomOf, seedFor } from '../support/random.ts'
import { inParallel, residentBytes } from '../support/watching.ts'

const COUNT = 2000
const AT_ONCE = 16
/** A gateway that still waits for more is told that none will come. */
const PATIENCE_MS = 300
const LIMIT_MS = 30_000
/** A small heap is collected often: what then still grows is kept, not only not yet collected. */
process.env.NODE_OPTIONS = '--max-old-space-size=64'

const TUS = 'Tus-Resumable: 1.0.0'
const TUS_BODY = 'Content-Type: application/offset+octet-stream'
/** `made by tus`, and a time in 2023. */
const METADATA = 'Upload-Metadata: filename bWFkZSBieSB0dXM=,lastModified MTcwMDAwMDAwMDAwMA=='

/** Of an upload that is not finished. */
let upload = ''

const kept = seededBytes('kept', ROW + 100)

test('2,000 mutated requests leave the gateway alive, right and no larger', async (t) => {
  const random = randomOf(seedFor(t))
  const dfcConf = 'limits.stall_timeout_ms = 1000'
  await using cluster = await startCluster({ gateways: 1, dfcConf })
  await cluster.addUser('alice', 'correct horse')
  const url = cluster.urls[0]!
  const path = `${url}/files/kept%20safe`
  assert.equal((await call(path, { method: 'PUT', body: kept })).status, 201)

  const opened = await call(`${url}/uploads`, {
    method: 'POST',
    headers: {
      ...{ 'tus-resumable': '1.0.0', 'upload-length': String(10 * ROW) },
      'upload-metadata': 'filename dW5maW5pc2hlZA==',
    },
  })
  assert.equal(opened.status, 201)
  upload = opened.headers.location!

  const statuses = new Map<string, number>()
  const run = (count: number) => {
    const requests = Array.from({ length: count }, () => mutate(requestOf(random), random))
    return inParallel(requests, AT_ONCE, async (bytes) => {
      const answer = await send(url, bytes)
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 'no answer'
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      assert.notEqual(status, '500', `${bytes.toString('latin1')}\n\n${answer}`)
    })
  }
  const { pid } = cluster.gateways[0]!.child
  await run(COUNT / 4)
  const beforeBytes = residentBytes(pid!)
  await run((COUNT * 3) / 4)
  const afterBytes = residentBytes(pid!)
  t.diagnostic(
    [...statuses]
      .sort()
      .map(([status, count]) => `${count} x ${status}`)
      .join(', '),
  )
  t.diagnostic(`resident ${beforeBytes >> 20} MiB, then ${afterBytes >> 20} MiB`)
  assert.ok(afterBytes < beforeBytes * 1.3 + 16 * 2 ** 20)

  const still = await call(path)
  assert.equal(still.status, 200, still.text)
  assert.ok(still.body.equals(kept))
  const listing = await call(`${url}/files?limit=1000`)
  assert.equal(listing.status, 200)
  for (const { state } of listing.json.files) assert.equal(state, 'complete')
  assert.doesNotMatch(cluster.gateways[0]!.output(), /INTERNAL|gateway (error|fatal):| 500 in /)
  for (const node of cluster.nodes) assert.doesNotMatch(node.process.output(), /error:/)
})

/** One valid request, some with bodies; none but to read touches the file that is kept. */
function requestOf(random: Random): Buffer {
  const name = `made%20${below(40, random)}`
  const body = seededBytes(`${random()}`, below(3000, random))
  const form = formBody([
    { field: 'note', content: 'some text' },
    { field: 'file', filename: `formed ${below(40, random)}`, type: 'text/plain', content: body },
  ])
  const md5 = Buffer.from(md5Hex(body), 'hex').toString('base64')
  const length = `Content-Length: ${body.length}`
  const formFields = [`Content-Type: ${FORM_TYPE}`, `Content-Length: ${form.length}`]
  const requests: [line: string, fields: string[], body?: Buffer][] = [
    ['GET /files?limit=5&prefix=made', []],
    ['GET /files/kept%20safe', ['Range: bytes=10-99', 'If-Range: "x"']],
    ['GET /files/kept%20safe?describe', ['Accept: application/json']],
    ['HEAD /files/kept%20safe', [`If-None-Match: "${md5Hex(kept)}"`]],
    [`PUT /files/${name}`, [length, `Content-MD5: ${md5}`, 'Content-Type: text/plain'], body],
    [`PUT /files/${name}`, ['Transfer-Encoding: chunked'], inParts(body)],
    [`PUT /files/${name}`, ['Expect: 100-continue', 'If-None-Match: *', length], body],
    ['POST /files', formFields, form],
    [`DELETE /files/${name}`, ['If-Match: *']],
    ['GET /', ['Accept: text/html', 'Cookie: fourfold=abc; other=x']],
    ['GET /nodes', ['Accept-Encoding: gzip']],
    ['GET /openapi.json', []],
    ['POST /uploads', [TUS, TUS_BODY, METADATA, `Upload-Length: ${body.length}`, length], body],
    ['POST /uploads', [TUS, METADATA, 'Upload-Defer-Length: 1', 'Content-Length: 0']],
    [`PATCH ${upload}`, [TUS, TUS_BODY, 'Upload-Offset: 0', length], body],
    [
      `PATCH ${upload}`,
      [TUS, TUS_BODY, 'Upload-Offset: 0', `Upload-Checksum: md5 ${md5}`, length],
      body,
    ],
    [`HEAD ${upload}`, [TUS]],
    ['DELETE /uploads/0123456789abcdef0123456789abcdef', [TUS]],
    ['GET /uploads', []],
  ]
  const [line, fields, content = Buffer.alloc(0)] = requests[below(requests.length, random)]!
  const all = [`${line} HTTP/1.1`, 'Host: test', `Authorization: ${BASIC}`, ...fields]
  return Buffer.concat([Buffer.from(`${all.join('\r\n')}\r\nConnection: close\r\n\r\n`), content])
}

/** A body in chunked coding, two chunks and the end. */
function inParts(body: Buffer): Buffer {
  const middle = body.length >> 1
  const parts = [body.subarray(0, middle), body.subarray(middle)].filter(({ length }) => length > 0)
  const coded = parts.flatMap((part) => [`${part.length.toString(16)}\r\n`, part, '\r\n'])
  return Buffer.concat([...coded, '0\r\n\r\n'].map((part) => Buffer.from(part)))
}

const inserts = [
  '\r\n',
  '\r\n\r\n',
  '\0',
  '%',
  '%00',
  '..',
  '/',
  '?',
  ':',
  ' ',
  '\t',
  '"',
  ',',
  ';',
  '=',
  '-1',
  '99999999999999999999',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Expect: 100-continue\r\n',
  `--${BOUNDARY}`,
  '\xff\xfe',
  'x'.repeat(2000),
]

/** Flips bits, cuts, doubles, inserts, changes digits; mostly in the head, where it means most. */
function mutate(bytes: Buffer, random: Random): Buffer {
  const headBytes = bytes.indexOf('\r\n\r\n') + 4
  const at = below(random() < 0.8 ? headBytes : bytes.length, random)
  const changed = Buffer.from(bytes)
  switch (below(6, random)) {
    case 0:
      for (let count = below(4, random); count >= 0; count--) {
        changed[below(headBytes, random)]! ^= 1 << below(8, random)
      }
      return changed
    case 1:
      return bytes.subarray(0, at)
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at >> 1)])
    case 3:
      return splice(bytes, { at, text: inserts[below(inserts.length, random)]! })
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(9, random))])
    default: {
      const digits = [...bytes.subarray(0, headBytes).toString('latin1').matchAll(/\d/g)]
      const digit = digits[below(digits.length, random)]!
      changed[digit.index] = 48 + below(10, random)
      return changed
    }
  }
}

function splice(bytes: Buffer, { at, text }: { at: number; text: string }): Buffer {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(text, 'latin1'), bytes.subarray(at)])
}

/** Sends the bytes; answers what came back until the gateway closed. */
function send(url: string, bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  let answer = ''
  return new Promise((resolve, reject) => {
    const impatience = setTimeout(() => socket.end(), PATIENCE_MS)
    const limit = setTimeout(() => {
      socket.destroy()
      reject(new Error(`The gateway neither answered nor closed: ${bytes.toString('latin1')}`))
    }, LIMIT_MS)
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text
      impatience.refresh()
    })
    socket.once('end', () => socket.end())
    socket.once('close', () => {
      clearTimeout(impatience)
      clearTimeout(limit)
      resolve(answer)
    })
    socket.on('error', () => {})
    socket.write(bytes)
  })
}
