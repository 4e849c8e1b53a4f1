// Reading files as RFC 9110 says, as one table: each case against a file of one row and one of
// many, with all nodes up and with one down. The sections in the names are those of the RFC.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { rangeParts } from '../../support/multipart.ts'
import { type Site, startSite } from '../../support/site.ts'
import { BASIC, call, type Reply, raw } from './client.ts'
import { asctime, type Case, cases, type Known, OTHER, rfc850 } from './rfc-9110-cases.ts'
import { NEW, OLD, targets, writes } from './rfc-9110-writes.ts'

let site: Site
let files: Known[]

before(async () => {
  site = await startSite()
  files = []
  for (const size of [1200, 2_500_000]) {
    const bytes = randomBytes(size)
    const name = `bytes-${size}`
    await site.put(name, bytes)
    const [stored] = (await site.store.list(site.identity, { prefix: name })).files
    const second = Math.floor(stored!.modifiedMs / 1000) * 1000
    const text = (ms: number) => new Date(ms).toUTCString()
    files.push({
      ...{ name, bytes, size, tag: `"${createHash('md5').update(bytes).digest('hex')}"` },
      ...{ modified: text(second), before: text(second - 1000), after: text(second + 1000) },
    })
  }
  // A date is a strong validator only when it is a second old.
  const left = Date.parse(files[1]!.after) + 100 - Date.now()
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, left)))
})

after(() => site[Symbol.asyncDispose]())

test(`${cases.length} cases of reading, on a file of one row and on one of many`, () => readAll())

test('the same with a node down', () => site.withDown([2], () => readAll()))

test('a file that cannot be read now is told so before any condition counts (13.2.1)', async () => {
  await site.withDown([2, 3], async () => {
    for (const file of files) {
      for (const headers of [{}, { 'if-none-match': file.tag }, { 'if-match': OTHER }] as const) {
        for (const method of ['GET', 'HEAD'] as const) {
          const answer = await call(`${site.url}/files/${file.name}`, { method, headers })
          assert.equal(answer.status, 503, `${method} ${JSON.stringify(headers)}`)
        }
      }
    }
  })
})

test(`${writes.length} cases of writing: what is refused changes nothing`, async () => {
  const url = `${site.url}/files/written`
  let isThere = false
  for (const [what, method, wantsOne, headers, status] of writes) {
    if (isThere && !wantsOne) await call(url, { method: 'DELETE' })
    if (wantsOne) await call(url, { method: 'PUT', body: OLD })
    const body = method === 'PUT' ? { body: NEW } : {}
    const answer = await call(url, { method, headers, ...body })
    assert.equal(answer.status, status, `${method}, ${what}: ${answer.text}`)
    const left = await call(url)
    isThere = left.status === 200
    const isDone = status < 300
    const expected = isDone ? (method === 'PUT' ? NEW : undefined) : wantsOne ? OLD : undefined
    assert.equal(isThere ? left.text : undefined, expected, `${method}, ${what}`)
  }
})

test(`${targets.length} addresses: each is the file that its bytes say, or is refused`, async () => {
  const ask = (line: string, ...more: string[]) => {
    const fields = [`Authorization: ${BASIC}`, 'Host: test', 'Connection: close', ...more]
    return raw(site.url, [Buffer.from(`${[line, ...fields, '', ''].join('\r\n')}`, 'latin1')])
  }
  for (const [target, name] of targets) {
    if (name !== undefined) await site.put(name, Buffer.from(`content of ${name}`))
    const answer = await ask(`GET /files/${target} HTTP/1.1`)
    const shown = JSON.stringify(target)
    if (name === undefined) {
      assert.match(answer, /^HTTP\/1\.1 400 .*"code":"(NAME_INVALID|BAD_REQUEST)"/s, shown)
      const put = await ask(`PUT /files/${target} HTTP/1.1`, 'Content-Length: 0')
      assert.match(put, /^HTTP\/1\.1 400 /, shown)
    } else {
      assert.match(answer, /^HTTP\/1\.1 200 /, shown)
      const content = Buffer.from(`content of ${name}`).toString('latin1')
      assert.ok(answer.endsWith(`\r\n\r\n${content}`), `${shown}: ${answer}`)
    }
  }
})

test('an address whose prefix is percent-encoded is the same address (4.2.3)', async () => {
  const put = await call(`${site.url}/%66iles/same/one`, { method: 'PUT', body: 'one' })
  assert.equal(put.headers.location, '/files/same/one')
  assert.equal((await call(`${site.url}/files/same/one`)).text, 'one')
  assert.equal((await call(`${site.url}/%66iles/same%2Fone`, { method: 'DELETE' })).status, 204)
  assert.equal((await call(`${site.url}/files/same/one`)).status, 404)
})

test('the form of a date is told by the table, not by luck', () => {
  assert.equal(rfc850('Sun, 06 Nov 1994 08:49:37 GMT'), 'Sunday, 06-Nov-94 08:49:37 GMT')
  assert.equal(asctime('Sun, 06 Nov 1994 08:49:37 GMT'), 'Sun Nov  6 08:49:37 1994')
})

async function readAll(): Promise<void> {
  assert.ok(cases.length >= 80, `${cases.length} cases`)
  for (const file of files) {
    for (const each of cases) {
      const { method = 'GET' } = each
      const headers = each.headers(file)
      const answer = await call(`${site.url}/files/${file.name}`, { method, headers })
      const what = `${file.name}, ${each.what}`
      assert.equal(answer.status, each.status, what)
      for (const [field, value] of Object.entries(each.fields?.(file) ?? {})) {
        assert.equal(answer.headers[field], value, `${what}: ${field}`)
      }
      assertBody(answer, { file, each, method, what })
    }
  }
}

interface Expected {
  file: Known
  each: Case
  method: string
  what: string
}

function assertBody(answer: Reply, { file, each, method, what }: Expected): void {
  const slice = ([from, to]: [number, number]) => file.bytes.subarray(from, to + 1)
  if (method === 'HEAD' || each.status === 304) {
    assert.equal(answer.body.length, 0, what)
  } else if (each.status === 200) {
    assert.ok(answer.body.equals(file.bytes), what)
  } else if (each.status === 206) {
    const ranges = each.ranges!(file)
    assert.equal(answer.headers['content-length'], String(answer.body.length), what)
    if (ranges.length === 1) {
      assert.ok(answer.body.equals(slice(ranges[0]!)), what)
      const [from, to] = ranges[0]!
      assert.equal(answer.headers['content-range'], `bytes ${from}-${to}/${file.size}`, what)
      return
    }
    const parts = rangeParts(answer.headers['content-type']!, answer.body)
    assert.deepEqual(
      parts.map(({ from, to }) => [from, to]),
      ranges,
      what,
    )
    for (const [at, { bytes, sizeBytes, type }] of parts.entries()) {
      assert.ok(bytes.equals(slice(ranges[at]!)), what)
      assert.deepEqual([sizeBytes, type], [file.size, 'application/octet-stream'], what)
    }
  } else {
    assert.match(answer.headers['content-type']!, /^application\/problem\+json/, what)
  }
}
