// Whose page a request comes from, and who is asking.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isBrowser, prefersHtml } from '../../../gateway/http/accept.ts'
import { basicCredentials } from '../../../gateway/http/auth.ts'
import { requireOwnOrigin } from '../../../gateway/http/origin.ts'

const own = { publicUrl: '', host: 'files.example:8080' }
const publicOwn = { publicUrl: 'https://files.example/store', host: '127.0.0.1:8080' }

const accepted: [Record<string, string>, typeof own][] = [
  [{ 'sec-fetch-site': 'same-origin' }, own],
  [{ 'sec-fetch-site': 'none' }, own],
  [{ origin: 'http://files.example:8080' }, own],
  [{ origin: 'http://FILES.example:8080' }, own],
  [{ referer: 'http://files.example:8080/?q=x' }, own],
  [{ origin: 'https://files.example' }, publicOwn],
]

const refused: [Record<string, string>, typeof own][] = [
  [{}, own],
  [{ 'sec-fetch-site': 'cross-site' }, own],
  [{ 'sec-fetch-site': 'same-site' }, own],
  [{ 'sec-fetch-site': 'cross-site', origin: 'http://files.example:8080' }, own],
  [{ origin: 'null' }, own],
  [{ origin: 'http://evil.example' }, own],
  [{ origin: 'http://files.example' }, own],
  [{ origin: 'http://files.example:8080.evil.example' }, own],
  [{ origin: 'http://evil.example', referer: 'http://files.example:8080/' }, own],
  [{ referer: 'nonsense' }, own],
  [{ origin: 'http://files.example' }, publicOwn],
  [{ origin: 'http://127.0.0.1:8080' }, publicOwn],
]

for (const [headers, address] of accepted) {
  test(`a change with ${JSON.stringify(headers)} is taken at ${address.host}`, () => {
    requireOwnOrigin(headers, address)
  })
}

for (const [headers, address] of refused) {
  test(`a change with ${JSON.stringify(headers)} is refused at ${address.host}`, () => {
    assert.throws(() => requireOwnOrigin(headers, address), { code: 'ORIGIN_REFUSED' })
  })
}

test('a page goes to who names HTML, a problem document to everybody else', () => {
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
  assert.equal(prefersHtml({ accept: browser }), true)
  for (const accept of [
    '*/*',
    'application/json',
    'application/json, text/html;q=0.5',
    'text/html;q=0',
    '',
  ]) {
    assert.equal(prefersHtml({ accept }), false, accept)
  }
  assert.equal(prefersHtml({}), false)
  assert.equal(isBrowser({ accept: 'image/avif', 'user-agent': 'Mozilla/5.0 (X11)' }), true)
  assert.equal(isBrowser({ accept: '*/*', 'user-agent': 'curl/8.5.0' }), false)
})

test('Basic credentials are UTF-8, split at the first colon, exact to the last space', () => {
  const header = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  assert.deepEqual(basicCredentials(header('alice:pä:ss ')), { user: 'alice', password: 'pä:ss ' })
  assert.deepEqual(basicCredentials(header(':')), { user: '', password: '' })
  assert.deepEqual(basicCredentials(header('a:b').replace('Basic', 'bAsIc')), {
    user: 'a',
    password: 'b',
  })
  assert.equal(basicCredentials(undefined), undefined)
  assert.equal(basicCredentials('Bearer abc'), undefined)
  for (const wrong of [
    'Basic',
    'Basic !!!',
    `Basic ${Buffer.from('nocolon').toString('base64')}`,
  ]) {
    assert.throws(() => basicCredentials(wrong), { code: 'BAD_REQUEST' }, wrong)
  }
})
