// User names: which spellings are one account, and which are none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DfsError, foldUsername } from '@fourfold/storage-node/protocol'
import fc from 'fast-check'
import { holds, readVectors } from '../../support/property.ts'

interface Vectors {
  valid: [name: string, folded: string][]
  invalid: string[]
}

const { valid, invalid } = readVectors<Vectors>('usernames.json')

test('each spelling folds to its account', () => {
  for (const [name, folded] of valid) assert.equal(foldUsername(name), folded, JSON.stringify(name))
})

test('Alice, ALICE and alice are one account', () => {
  assert.equal(new Set(['Alice', 'ALICE', 'alice', 'aLiCe'].map(foldUsername)).size, 1)
})

test('what is not a user name is refused with its own code', () => {
  for (const name of invalid) {
    assert.throws(
      () => foldUsername(name),
      (error) => error instanceof DfsError && error.code === 'USERNAME_INVALID',
      JSON.stringify(name),
    )
  }
})

test('folding twice is folding once, and any text folds or is refused', (t) =>
  holds(
    t,
    fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (name) => {
      try {
        const folded = foldUsername(name)
        assert.equal(foldUsername(folded), folded)
        assert.ok(!/[\s:/\0]/.test(folded))
      } catch (error) {
        if (!(error instanceof DfsError)) throw error
        assert.equal(error.code, 'USERNAME_INVALID')
      }
    }),
    2000,
  ))
