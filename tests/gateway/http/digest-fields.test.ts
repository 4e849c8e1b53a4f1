// Digest fields as tables: what a request promises of its body, what an answer says of a file.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { bodyDigests, checkedSource, digestHeaders } from '../../../gateway/http/digest-fields.ts'
import { streamed } from '../../support/content.ts'

const body = Buffer.from('{"hello": "world"}\n')
const digestOf = (hash: string) => createHash(hash).update(body).digest()
const base64 = (hash: string) => digestOf(hash).toString('base64')
const md5 = digestOf('md5')
const other = createHash('md5').update('other').digest('base64')

/** The names of the digests that will be checked, or the error. */
const requests: [headers: Record<string, string>, expected: string[] | string][] = [
  [{}, []],
  [{ 'content-md5': base64('md5') }, ['md5']],
  [{ 'content-digest': `sha-256=:${base64('sha256')}:` }, ['sha-256']],
  [{ 'repr-digest': `sha-512=:${base64('sha512')}:` }, ['sha-512']],
  [{ 'repr-digest': `sha=:${base64('sha1')}:` }, ['sha']],
  [
    { 'repr-digest': `md5=:${base64('md5')}: , sha-256=:${base64('sha256')}:;x=1` },
    ['md5', 'sha-256'],
  ],
  [{ 'repr-digest': 'unixsum=:AAAA:, crc32c=:AAAAAA==:' }, []],
  [{ 'repr-digest': `md5=:${base64('md5')}:`, 'content-md5': base64('md5') }, ['md5']],
  [{ 'repr-digest': `md5=:${base64('md5')}:`, 'content-md5': other }, 'BAD_REQUEST'],
  [{ 'content-md5': 'abc' }, 'BAD_REQUEST'],
  [{ 'content-digest': 'sha-256=abc' }, 'BAD_REQUEST'],
  [{ 'content-digest': 'sha-256=:AAAA:' }, 'BAD_REQUEST'],
  [{ 'content-digest': 'sha-256' }, 'BAD_REQUEST'],
  [{ 'content-digest': '' }, 'BAD_REQUEST'],
]

for (const [headers, expected] of requests) {
  test(`a body with ${JSON.stringify(headers).slice(0, 90)}: ${expected}`, () => {
    if (typeof expected === 'string') {
      assert.throws(() => bodyDigests(headers), { code: expected })
      return
    }
    const { md5: promised, digests } = bodyDigests(headers)
    const names = digests.map(({ algorithm }) => algorithm)
    assert.deepEqual([...(promised === undefined ? [] : ['md5']), ...names], expected)
  })
}

test('a body ends only if it is what every digest says', async () => {
  const read = async (algorithm: string, bytes: Buffer) => {
    const seen: Buffer[] = []
    for await (const part of checkedSource(streamed(body) as AsyncIterable<Buffer>, [
      { algorithm, bytes },
    ])) {
      seen.push(Buffer.from(part))
    }
    return Buffer.concat(seen)
  }
  for (const [algorithm, hash] of [
    ['sha-512', 'sha512'],
    ['sha-256', 'sha256'],
    ['sha', 'sha1'],
  ] as const) {
    assert.ok((await read(algorithm, digestOf(hash))).equals(body))
    const wrong = createHash(hash).update('other').digest()
    await assert.rejects(read(algorithm, wrong), { code: 'DIGEST_MISMATCH' })
  }
})

const repr = { 'repr-digest': `md5=:${base64('md5')}:` }
const legacy = { 'content-md5': base64('md5') }
const content = { 'content-digest': `md5=:${base64('md5')}:` }
const answers: [headers: Record<string, string>, isWhole: boolean, expected: object][] = [
  [{}, true, { ...repr, ...legacy }],
  [{}, false, repr],
  [{ 'want-repr-digest': 'md5=1' }, false, repr],
  [{ 'want-repr-digest': 'sha-256=10' }, false, repr],
  [{ 'want-repr-digest': 'sha-256=10, md5=0' }, false, {}],
  [{ 'want-repr-digest': 'md5=0' }, true, legacy],
  [{ 'want-repr-digest': '!?' }, false, repr],
  [{ 'want-content-digest': 'md5=3' }, true, { ...repr, ...legacy, ...content }],
  [{ 'want-content-digest': 'md5=3' }, false, repr],
  [{ 'want-content-digest': 'md5=0' }, true, { ...repr, ...legacy }],
  [{ 'want-content-digest': 'sha-256=1' }, true, { ...repr, ...legacy }],
]

for (const [headers, isWhole, expected] of answers) {
  const what = isWhole ? 'a whole answer' : 'a part'
  test(`${what} to ${JSON.stringify(headers)} carries ${Object.keys(expected)}`, () => {
    assert.deepEqual(digestHeaders({ md5: md5.toString('hex') }, headers, isWhole), expected)
  })
}

const sha = { 'repr-digest': `sha-256=:${base64('sha256')}:` }
const both = { 'repr-digest': `${repr['repr-digest']}, ${sha['repr-digest']}` }
const answersWithSha: typeof answers = [
  [{}, false, both],
  [{ 'want-repr-digest': 'sha-256=10' }, false, sha],
  [{ 'want-repr-digest': 'sha-256=3, md5=1' }, false, both],
  [{ 'want-repr-digest': 'md5=0' }, false, sha],
  [{ 'want-repr-digest': 'sha-256=0' }, false, repr],
  [{ 'want-repr-digest': 'sha-512=9' }, false, both],
  [{ 'want-repr-digest': 'sha-256=0, md5=0' }, true, legacy],
  [
    { 'want-content-digest': 'sha-256=1' },
    true,
    { ...both, ...legacy, 'content-digest': sha['repr-digest'] },
  ],
]

for (const [headers, isWhole, expected] of answersWithSha) {
  test(`where SHA-256 is known, ${JSON.stringify(headers)} is answered ${Object.values(expected)}`, () => {
    const file = { md5: md5.toString('hex'), sha256: digestOf('sha256').toString('hex') }
    assert.deepEqual(digestHeaders(file, headers, isWhole), expected)
  })
}
