// A fetched file on the local disk: whole or absent, never over another by accident.
import assert from 'node:assert/strict'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { targetPath, writeWhole } from '../../../gateway/dfc/local-file.ts'
import { seededBytes, streamed } from '../../support/content.ts'

const root = mkdtempSync(join(tmpdir(), 'fourfold-local-'))
after(() => rmSync(root, { recursive: true }))

let folderCount = 0
function newFolder(): string {
  const folder = join(root, String(++folderCount))
  mkdirSync(folder)
  return folder
}

const bytes = seededBytes('local file', 200_000)
const write = (path: string, mayReplace = false, content = streamed(bytes)) =>
  writeWhole({ path, mayReplace, content })

async function* broken(): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 1000)
  throw new Error('the store failed')
}

test('a file appears with all its bytes, and nothing else stays', async () => {
  const folder = newFolder()
  await write(join(folder, 'a.bin'))
  assert.deepEqual(readFileSync(join(folder, 'a.bin')), bytes)
  assert.deepEqual(readdirSync(folder), ['a.bin'])
})

test('a transfer that breaks leaves nothing, and the file before it as it was', async () => {
  const folder = newFolder()
  await assert.rejects(write(join(folder, 'a.bin'), false, broken()), /the store failed/)
  assert.deepEqual(readdirSync(folder), [])
  writeFileSync(join(folder, 'a.bin'), 'before')
  await assert.rejects(write(join(folder, 'a.bin'), true, broken()), /the store failed/)
  assert.equal(readFileSync(join(folder, 'a.bin'), 'utf8'), 'before')
  assert.deepEqual(readdirSync(folder), ['a.bin'])
})

test('a file that is there is replaced only on request, and keeps its mode', async () => {
  const path = join(newFolder(), 'a.bin')
  writeFileSync(path, 'before')
  chmodSync(path, 0o640)
  await assert.rejects(write(path), { message: `${path} is here already.` })
  assert.equal(readFileSync(path, 'utf8'), 'before')
  await write(path, true)
  assert.deepEqual(readFileSync(path), bytes)
  assert.equal(statSync(path).mode & 0o777, 0o640)
})

test('a file that appears during the transfer is not replaced', async () => {
  const path = join(newFolder(), 'a.bin')
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield bytes
    writeFileSync(path, 'mine')
  }
  await assert.rejects(write(path, false, slow()), { message: `${path} is here already.` })
  assert.equal(readFileSync(path, 'utf8'), 'mine')
})

test('a link stays a link: the file behind it is replaced', async () => {
  const folder = newFolder()
  writeFileSync(join(folder, 'real'), 'before')
  symlinkSync('real', join(folder, 'link'))
  await write(join(folder, 'link'), true)
  assert(lstatSync(join(folder, 'link')).isSymbolicLink())
  assert.deepEqual(readFileSync(join(folder, 'real')), bytes)
})

test('a device is written to and stays a device', async () => {
  await write('/dev/null')
  assert(statSync('/dev/null').isCharacterDevice())
})

test('a folder takes the last segment of the name', async () => {
  const folder = newFolder()
  assert.equal(await targetPath('docs/a.pdf', undefined), 'a.pdf')
  assert.equal(await targetPath('docs/a.pdf', folder), join(folder, 'a.pdf'))
  assert.equal(await targetPath('a.pdf', join(folder, 'b.pdf')), join(folder, 'b.pdf'))
  assert.equal(await targetPath('a.pdf', `${folder}/none/`), join(folder, 'none/a.pdf'))
})

test('a path that cannot be written says why', async () => {
  const folder = newFolder()
  await assert.rejects(write(join(folder, 'none/a')), {
    message: /cannot be written: does not exist/,
  })
  await assert.rejects(write(join(folder, 'x'.repeat(300))), { message: /name is too long/ })
  await assert.rejects(write(folder), { message: /is a folder/ })
})
