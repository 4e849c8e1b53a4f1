// The cluster key's file: made once, read back, and told apart from what is none.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { makeClusterKey, readClusterKey } from '@fourfold/conf'
import { DfsError } from '@fourfold/storage-node/protocol'

const folder = mkdtempSync(join(tmpdir(), 'fourfold-key-'))
after(() => rmSync(folder, { recursive: true }))

test('a key is made once, for its owner only, and stays', () => {
  const file = join(folder, 'new/cluster.key')
  assert.equal(readClusterKey(file), undefined)
  const key = makeClusterKey(file)
  assert.equal(key.length, 32)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(makeClusterKey(file), key)
  assert.deepEqual(readClusterKey(file), key)
})

test('a file that holds no key is refused by name', () => {
  const file = join(folder, 'short.key')
  for (const text of ['', 'abc', 'g'.repeat(64), `${'a'.repeat(62)}\n`]) {
    writeFileSync(file, text)
    assert.throws(
      () => readClusterKey(file),
      (error) => error instanceof DfsError && error.message.includes(`${file} does not hold 64`),
    )
  }
  assert.throws(() => readClusterKey(folder), /cannot be read \(EISDIR\)/)
})
