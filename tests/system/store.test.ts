// The DFS client against four real nodes: what is put in comes out, whole, until it is taken away.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Identity } from '../../gateway/dfs/identity.ts'
import type { Listing, Store } from '../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { gathered, md5Hex, ROW, seededBytes, streamed } from '../support/content.ts'

let cluster: TestCluster
let store: Store
let alice: Identity
let bob: Identity

before(async () => {
  cluster = await startCluster()
  store = await cluster.store()
  for (const user of ['alice', 'bob'])
    await store.accounts.add({ user, password: `${user}-password` })
  alice = await signIn('alice')
  bob = await signIn('bob')
})

after(() => cluster[Symbol.asyncDispose]())

function signIn(user: string): Promise<Identity> {
  return store.signIn({ user, password: `${user}-password`, address: 'test' })
}

async function put(name: string, bytes: Buffer, identity = alice) {
  return store.upload(identity, { name, source: streamed(bytes, 100_003) })
}

async function get(name: string, identity = alice): Promise<Buffer> {
  return gathered((await store.download(identity, { name })).content)
}

for (const size of [
  0,
  1,
  2,
  3,
  4,
  5,
  262_128,
  262_129,
  ROW - 1,
  ROW,
  ROW + 1,
  4 * ROW,
  10 * ROW + 7,
]) {
  test(`a file of ${size} bytes comes back as it was`, async () => {
    const bytes = seededBytes(`size ${size}`, size)
    const { file, isNew } = await put(`size-${size}`, bytes)
    assert.equal(isNew, true)
    assert.equal(file.md5, md5Hex(bytes))
    assert.equal(file.sizeBytes, size)
    assert.ok((await get(`size-${size}`)).equals(bytes))
    const seen = await store.stat(alice, `size-${size}`)
    assert.deepEqual([seen.state, seen.copies, seen.md5], ['complete', 255, file.md5])
  })
}

for (const name of [
  '😀.bin',
  'line\nbreak',
  '"quotes"',
  'a%2Fb',
  ' spaces ',
  'é'.repeat(255),
  'a/b/c.txt',
]) {
  test(`a file named ${JSON.stringify(name.slice(0, 20))} keeps its name`, async () => {
    const bytes = seededBytes(name, 1000)
    await put(name, bytes)
    assert.ok((await get(name)).equals(bytes))
    assert.ok((await store.list(alice, { prefix: name })).files.some((file) => file.name === name))
  })
}

test('a range gives exactly its bytes', async () => {
  const bytes = seededBytes('range', 3 * ROW + 100)
  await put('ranged', bytes)
  const ranges = [
    [0, 0],
    [ROW - 1, ROW],
    [ROW, 2 * ROW - 1],
    [5, 3 * ROW + 99],
    [3 * ROW + 99, 3 * ROW + 99],
  ]
  for (const [from, to] of ranges as [number, number][]) {
    const { content } = await store.download(alice, {
      name: 'ranged',
      choose: () => [{ from, to }],
    })
    assert.ok((await gathered(content)).equals(bytes.subarray(from, to + 1)), `${from}-${to}`)
  }
})

test('two users have different files under one name', async () => {
  await put('same', Buffer.from('of alice'))
  await put('same', Buffer.from('of bob'), bob)
  assert.equal(String(await get('same')), 'of alice')
  assert.equal(String(await get('same', bob)), 'of bob')
  await store.remove(bob, { name: 'same' })
  assert.equal(String(await get('same')), 'of alice')
})

test('an overwrite replaces the file, small by large and large by small', async () => {
  const large = seededBytes('large', 2 * ROW + 1)
  for (const bytes of [Buffer.from('first'), large, Buffer.from('third'), Buffer.alloc(0)]) {
    await put('again', bytes)
    assert.ok((await get('again')).equals(bytes))
  }
  assert.equal((await put('again', large)).isNew, false)
})

test('a deleted file is gone, from the listing too, and may come again', async () => {
  await put('passing', Buffer.from('x'))
  await store.remove(alice, { name: 'passing' })
  await assert.rejects(get('passing'), { code: 'FILE_NOT_FOUND' })
  await assert.rejects(store.remove(alice, { name: 'passing' }), { code: 'FILE_NOT_FOUND' })
  assert.deepEqual((await store.list(alice, { prefix: 'passing' })).files, [])
  assert.equal((await put('passing', Buffer.from('y'))).isNew, true)
  assert.equal(String(await get('passing')), 'y')
})

test('a source that fails leaves nothing, small or large, and the old version stays', async () => {
  await put('kept', Buffer.from('old'))
  for (const size of [10, 3 * ROW]) {
    const source = async function* () {
      yield seededBytes('broken', size)
      throw new Error('the line broke')
    }
    await assert.rejects(store.upload(alice, { name: 'kept', source: source() }), /line broke/)
    await assert.rejects(store.upload(alice, { name: 'never', source: source() }), /line broke/)
  }
  assert.equal(String(await get('kept')), 'old')
  await assert.rejects(get('never'), { code: 'FILE_NOT_FOUND' })
})

test('an upload whose source stands still ends when it is given up, and leaves nothing', async () => {
  const controller = new AbortController()
  const source = async function* () {
    yield seededBytes('still', 2 * ROW)
    controller.abort()
    await new Promise(() => {})
  }
  const request = { name: 'still', source: source(), signal: controller.signal }
  await assert.rejects(store.upload(alice, request), { code: 'ABORTED' })
  await assert.rejects(get('still'), { code: 'FILE_NOT_FOUND' })
})

test('content that is not what was promised is refused and leaves nothing', async () => {
  for (const size of [5, 2 * ROW]) {
    const bytes = seededBytes('promised', size)
    const attempt = (promise: { md5?: Buffer; sizeBytes?: number }) =>
      store.upload(alice, { name: 'promised', source: streamed(bytes), ...promise })
    await assert.rejects(attempt({ md5: Buffer.alloc(16) }), { code: 'DIGEST_MISMATCH' })
    await assert.rejects(attempt({ sizeBytes: size + 1 }), { code: 'LENGTH_MISMATCH' })
    await assert.rejects(attempt({ sizeBytes: size - 1 }), { code: 'LENGTH_MISMATCH' })
    await assert.rejects(get('promised'), { code: 'FILE_NOT_FOUND' })
    await attempt({ md5: Buffer.from(md5Hex(bytes), 'hex'), sizeBytes: size })
    await store.remove(alice, { name: 'promised' })
  }
})

test('conditions are kept: only new, or only over the expected content', async () => {
  const attempt = (text: string, condition: Parameters<Store['upload']>[1]['condition']) =>
    store.upload(alice, {
      name: 'cond',
      source: streamed(Buffer.from(text)),
      ...(condition && { condition }),
    })
  const { file } = await attempt('one', { kind: 'absent' })
  await assert.rejects(attempt('two', { kind: 'absent' }), { code: 'PRECONDITION_FAILED' })
  await assert.rejects(attempt('two', { kind: 'match', md5s: ['0'.repeat(32)] }), {
    code: 'PRECONDITION_FAILED',
  })
  await attempt('two', { kind: 'match', md5s: [file.md5] })
  await attempt('three', { kind: 'match', md5s: 'any' })
  assert.equal(String(await get('cond')), 'three')
})

test('a listing pages, filters, and rolls folders up before the files', async () => {
  for (const name of ['l/1', 'l/2', 'l/sub/3', 'l/sub/4', 'l/5']) await put(name, Buffer.from(name))
  const first = await store.list(alice, { prefix: 'l/', delimiter: '/', limit: 2 })
  assert.deepEqual(first.folders, [{ prefix: 'l/sub/', fileCount: 2, sizeBytes: 14 }])
  assert.deepEqual(namesOf(first), ['l/1'])
  assert.deepEqual(first.total, { fileCount: 5, sizeBytes: 23 })
  const second = await store.list(alice, { prefix: 'l/', delimiter: '/', cursor: first.next! })
  assert.deepEqual([second.folders, namesOf(second)], [[], ['l/2', 'l/5']])
  assert.equal(second.next, undefined)
  assert.deepEqual(namesOf(await store.list(alice, { search: 'SUB/3' })), ['l/sub/3'])
})

function namesOf({ files }: Listing): string[] {
  return files.map(({ name }) => name)
}

test('a second client sees at once what the first one stored, replaced and deleted', async () => {
  const other = await cluster.store()
  const identity = await other.signIn({
    user: 'ALICE',
    password: 'alice-password',
    address: 'test',
  })
  const names = async () =>
    (await other.list(identity, { prefix: 'seen/' })).files.map((file) => [
      file.name,
      file.sizeBytes,
    ])
  await put('seen/a', Buffer.from('12'))
  assert.deepEqual(await names(), [['seen/a', 2]])
  await put('seen/a', Buffer.from('123'))
  assert.deepEqual(await names(), [['seen/a', 3]])
  await store.remove(alice, { name: 'seen/a' })
  assert.deepEqual(await names(), [])
})

test('a wrong password and an unknown user are told apart by nothing', async () => {
  const errors: Error[] = []
  for (const user of ['alice', 'nobody']) {
    const attempt = store.signIn({ user, password: 'wrong-password', address: 'elsewhere' })
    await assert.rejects(attempt, (error: Error) => Boolean(errors.push(error)))
  }
  const [wrong, unknown] = errors as [Error & { code: string }, Error & { code: string }]
  assert.deepEqual([wrong.code, wrong.message], [unknown.code, unknown.message])
  assert.equal(wrong.code, 'AUTH_FAILED')
})

test('user names ignore case, passwords do not', async () => {
  await store.signIn({ user: 'ALICE', password: 'alice-password', address: 'case' })
  const attempt = store.signIn({ user: 'alice', password: 'Alice-password', address: 'case' })
  await assert.rejects(attempt, { code: 'AUTH_FAILED' })
})

test('an account is made once, its password changes, and its files stay', async () => {
  const carol = { user: 'carol', password: 'carol-password' }
  await store.accounts.add(carol)
  await assert.rejects(store.accounts.add({ ...carol, user: 'CAROL' }), { code: 'ACCOUNT_EXISTS' })
  await put('mine', Buffer.from('hers'), await signIn('carol'))
  await store.accounts.changePassword({
    user: 'carol',
    oldPassword: carol.password,
    newPassword: 'another one',
    address: 'change',
  })
  await assert.rejects(store.signIn({ ...carol, address: 'change' }), { code: 'AUTH_FAILED' })
  const identity = await store.signIn({ user: 'carol', password: 'another one', address: 'again' })
  assert.equal(String(await get('mine', identity)), 'hers')
  assert.deepEqual(await store.accounts.list(), ['alice', 'bob', 'carol'])
  await store.accounts.remove('carol')
  await assert.rejects(get('mine', identity), { code: 'AUTH_FAILED' })
  assert.deepEqual(await store.accounts.list(), ['alice', 'bob'])
})
