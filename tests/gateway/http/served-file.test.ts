// What a browser may do with a user's bytes, by type and by name.
import assert from 'node:assert/strict'
import { validateHeaderValue } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { servedHeaders } from '../../../gateway/http/served-file.ts'

const octets = 'application/octet-stream'
const plain = 'text/plain; charset=utf-8'
const table: [type: string, contentType: string, disposition: 'inline' | 'attachment'][] = [
  ['image/png', 'image/png', 'inline'],
  ['IMAGE/JPEG', 'image/jpeg', 'inline'],
  ['image/avif', 'image/avif', 'inline'],
  ['video/mp4', 'video/mp4', 'inline'],
  ['audio/ogg; codecs=opus', 'audio/ogg', 'inline'],
  ['application/pdf', 'application/pdf', 'inline'],
  ['text/plain', plain, 'inline'],
  ['text/csv; charset=latin1', plain, 'inline'],
  ['text/javascript', plain, 'inline'],
  ['text/xml', plain, 'inline'],
  ['text/html', 'text/html', 'attachment'],
  ['TEXT/HTML; charset=utf-8', 'TEXT/HTML; charset=utf-8', 'attachment'],
  ['image/svg+xml', 'image/svg+xml', 'attachment'],
  ['application/xhtml+xml', 'application/xhtml+xml', 'attachment'],
  ['application/javascript', 'application/javascript', 'attachment'],
  [octets, octets, 'attachment'],
  ['nonsense', octets, 'attachment'],
  ['text/\r\nx: y', octets, 'attachment'],
  ['', octets, 'attachment'],
]

for (const [type, contentType, disposition] of table) {
  test(`${JSON.stringify(type)} is served as ${contentType}, ${disposition}`, () => {
    const headers = servedHeaders({ name: 'a', type }, false)
    assert.equal(headers['content-type'], contentType)
    assert.equal(headers['content-disposition'].split(';', 1)[0], disposition)
  })
}

test('no script runs in what is shown, and only films and sounds are of our origin', () => {
  for (const [type] of table) {
    const policy = servedHeaders({ name: 'a', type }, false)['content-security-policy']
    assert.match(policy, /^default-src 'none';/)
    assert.doesNotMatch(policy, /script/)
    const isMedia = /^(video|audio)\//.test(type)
    assert.match(policy, isMedia ? /; sandbox allow-same-origin$/ : /; sandbox$/, type)
    const saved = servedHeaders({ name: 'a', type }, true)['content-security-policy']
    assert.equal(saved, "default-src 'none'; sandbox")
  }
})

test('a download is an attachment whatever its type', () => {
  const headers = servedHeaders({ name: 'a.png', type: 'image/png' }, true)
  assert.match(headers['content-disposition'], /^attachment; filename=/)
})

test('a browser proposes the last segment, in full, also with emoji', () => {
  const headers = servedHeaders({ name: 'photos/😀 "x".png', type: octets }, false)
  assert.match(headers['content-disposition'], /filename\*=UTF-8''%F0%9F%98%80%20%22x%22\.png/)
})

test('any name makes a header that HTTP can carry', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
      for (const type of [octets, 'image/png']) {
        const headers = servedHeaders({ name, type }, false)
        validateHeaderValue('content-disposition', headers['content-disposition'])
      }
    }),
  )
})
