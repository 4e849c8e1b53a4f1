// How slow a client may be, without a clock: silence, trickling, and what is slow but live.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace } from '../../../gateway/http/patience.ts'

const patience = { stallTimeoutMs: 30_000, progressBytes: 1000, progressWindowMs: 100_000 }

test('a transfer that moves the least in every window goes on for ever', () => {
  const pace = new Pace(patience)
  for (let second = 0; second < 100_000; second++) pace.saw(10, 1000)
  assert.equal(pace.limitMs > 0, true)
})

test('a transfer that moves less is cut at the end of its window, and not before', () => {
  const pace = new Pace(patience)
  for (let second = 0; second < 99; second++) pace.saw(9, 1000)
  assert.throws(() => pace.saw(9, 1000), { code: 'IDLE_TIMEOUT' })
})

test('a burst counts for its own window only', () => {
  const pace = new Pace(patience)
  pace.saw(1_000_000, 100_000)
  assert.throws(() => pace.saw(999, 100_000), { code: 'IDLE_TIMEOUT' })
})

test('time in which the client is not waited for does not count', () => {
  const pace = new Pace(patience)
  for (let step = 0; step < 1000; step++) pace.saw(0, 0)
  assert.equal(pace.limitMs, 30_000)
})

test('the wait is never longer than what is left of the window, nor than the limit for silence', () => {
  const pace = new Pace(patience)
  pace.saw(0, 90_000)
  assert.equal(pace.limitMs, 10_000)
  pace.saw(1000, 0)
  assert.equal(pace.limitMs, 30_000)
})

test('a large piece on its way out has as long as its bytes may take at the slowest', () => {
  const pace = new Pace(patience)
  assert.equal(pace.timeFor(1), 100_000)
  assert.equal(pace.timeFor(1000), 100_000)
  assert.equal(pace.timeFor(10_000), 1_000_000)
})
