// Versions order by time and then by id, and a slow clock cannot put an overwrite before what it
// replaces.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compareVersions,
  newVersion,
  VERSION_BYTES,
  versionAfter,
  versionTimeMs,
} from '@fourfold/storage-node/protocol'
import fc from 'fast-check'
import { holds } from '../../support/property.ts'

const times = fc.integer({ min: 0, max: 2 ** 48 })

test('a version is its time in milliseconds and eight random bytes', () => {
  const version = newVersion(1_767_225_600_000)
  assert.equal(version.length, VERSION_BYTES)
  assert.equal(version.toString('hex', 0, 8), '0000019b76daa800')
  assert.equal(versionTimeMs(version), 1_767_225_600_000)
  assert.notDeepEqual(newVersion(5), newVersion(5))
})

test('a later version is greater', (t) =>
  holds(
    t,
    fc.property(times, times, (one, other) => {
      const difference = compareVersions(newVersion(one), newVersion(other))
      if (one !== other) assert.equal(Math.sign(difference), Math.sign(one - other))
    }),
    300,
  ))

test('what replaces a version is greater than it, whatever the clock says', (t) =>
  holds(
    t,
    fc.property(times, times, (before, now) => {
      const old = newVersion(before)
      const replacement = newVersion(now, old)
      assert.ok(compareVersions(replacement, old) > 0)
      assert.ok(versionTimeMs(replacement) >= now)
    }),
    300,
  ))

test('fractions of a millisecond are dropped', () => {
  assert.equal(versionTimeMs(newVersion(1234.9)), 1234)
})

test('the time of a version is read from any place in a buffer', () => {
  const around = Buffer.concat([Buffer.alloc(3, 0xff), newVersion(77), Buffer.alloc(3, 0xff)])
  assert.equal(versionTimeMs(around.subarray(3, 3 + VERSION_BYTES)), 77)
})

test('the version after another is the least that is newer', () => {
  const cases: [string, string][] = [
    ['00000000000000000000000000000000', '00000000000000000000000000000001'],
    ['0000019b76daa800e0e1e2e3e4e5e6ff', '0000019b76daa800e0e1e2e3e4e5e700'],
    ['0000019b76daa800ffffffffffffffff', '0000019b76daa8010000000000000000'],
  ]
  for (const [version, after] of cases) {
    assert.equal(versionAfter(Buffer.from(version, 'hex')).toString('hex'), after)
  }
})
