// The cluster key's file: read back, and told apart from what is none.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readClusterKey } from '@fourfold/conf'
import { DfsError } from '@fourfold/storage-node/protocol'

const folder = mkdtempSync(join(tmpdir(), 'fourfold-key-'))
after(() => rmSync(folder, { recursive: true }))

test('a key is read with or without a newline, in either case; no file is no key', () => {
  const file = join(folder, 'cluster.key')
  assert.equal(readClusterKey(file), undefined)
  const key = randomBytes(32)
  for (const text of [key.toString('hex'), `${key.toString('hex').toUpperCase()}\n`]) {
    writeFileSync(file, text)
    assert.deepEqual(readClusterKey(file), key)
  }
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
