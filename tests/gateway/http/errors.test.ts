// Every error has a status that suits it and a problem document that leaks nothing.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { codes, DfsError, type ErrorCode } from '@fourfold/storage-node/protocol'
import { statuses, titleOf, toFailure, toProblem } from '../../../gateway/http/errors.ts'

const all = Object.keys(codes) as ErrorCode[]

test('every code has an error status, and no other code has one', () => {
  assert.deepEqual(Object.keys(statuses).sort(), [...all].sort())
  for (const status of Object.values(statuses)) assert.ok(status >= 400 && status < 600)
})

test('what may succeed later is never told as the fault of the request alone', () => {
  const transient = [408, 400, 409, 422, 423, 429, 500, 502, 503, 504, 507]
  for (const code of all.filter((name) => codes[name].retry)) {
    assert.ok(transient.includes(statuses[code]), `${code} is ${statuses[code]}`)
  }
})

test('a problem carries the members of RFC 9457, the code, and the nodes and parts that are the cause', () => {
  const detail = { nodes: ['DFS3'], parts: [2], secret: 'no' }
  const failure = toFailure(
    new DfsError('PARTS_UNAVAILABLE', 'Part 2 is out of reach.', { detail }),
  )
  assert.deepEqual(toProblem(failure), {
    type: 'urn:fourfold:error:PARTS_UNAVAILABLE',
    title: 'Parts unavailable',
    status: 503,
    detail: 'Part 2 is out of reach.',
    code: 'PARTS_UNAVAILABLE',
    hint: codes.PARTS_UNAVAILABLE.hint,
    nodes: ['DFS3'],
    parts: [2],
  })
  assert.deepEqual(failure.headers, { 'retry-after': '5' })
})

test('the sentence of an unexpected error stays inside', () => {
  const problem = toProblem(toFailure(new TypeError('secret.txt is undefined')))
  assert.equal(problem.status, 500)
  assert.equal(problem.code, 'INTERNAL')
  assert.doesNotMatch(JSON.stringify(problem), /secret/)
})

test('a wait that the store names becomes Retry-After in whole seconds', () => {
  const detail = { retryAfterMs: 1200 }
  const failure = toFailure(new DfsError('AUTH_THROTTLED', 'Slow down.', { detail }))
  assert.equal(failure.status, 429)
  assert.equal(failure.headers['retry-after'], '2')
})

test('errors of the framework keep their status and become whole sentences', () => {
  const error = Object.assign(new Error('body is too large'), { statusCode: 413 })
  const failure = toFailure(error)
  assert.equal(failure.status, 413)
  assert.equal(failure.error.code, 'TOO_LARGE')
  assert.equal(failure.error.message, 'Body is too large.')
})

test('titles are the codes in plain words', () => {
  assert.equal(titleOf('NODES_UNAVAILABLE'), 'Nodes unavailable')
})

test('the protocol page names every code that HTTP can tell', async () => {
  const file = join(import.meta.dirname, '../../../storage-node/protocol/README.md')
  const page = await readFile(file, 'utf8')
  const missing = all.filter((code) => statuses[code] === 502 && !page.includes(code))
  assert.deepEqual(missing, [])
})
