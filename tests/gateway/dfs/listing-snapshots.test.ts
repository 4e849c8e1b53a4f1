// What a gateway remembers of a user's files from one start to the next, with four real nodes: it
// is used, it is brought up to date, it tells nobody anything, and nothing depends on it.
import assert from 'node:assert/strict'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { dfcConfSchema, loadConf } from '@fourfold/conf'
import { createStore } from '../../../gateway/dfs/create-store.ts'
import type { Identity } from '../../../gateway/dfs/identity.ts'
import { createListingSnapshots } from '../../../gateway/dfs/listing-snapshots.ts'
import type { FileInfo, Store } from '../../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { streamed } from '../../support/content.ts'

const USER = 'alice'
const PASSWORD = 'correct horse'
const NAMES = Array.from({ length: 30 }, (_, number) => `folder ${number % 3}/paper ${number}`)
const ALL_NODES = [1, 2, 3, 4]
/** For what comes about by itself. */
const timeout = 60_000

let cluster: TestCluster
let scratch: string
/** Another gateway, which keeps nothing. */
let other: { store: Store; identity: Identity }

before(async () => {
  cluster = await startCluster()
  scratch = await mkdtemp(join(tmpdir(), 'fourfold-snapshots-'))
  await cluster.addUser(USER, PASSWORD)
  const store = await cluster.store()
  other = { store, identity: await signIn(store) }
  for (const name of NAMES) await put(name, name)
})
after(async () => {
  await cluster?.[Symbol.asyncDispose]()
  await rm(scratch, { recursive: true, force: true })
})

const signIn = (store: Store) => store.signIn({ user: USER, password: PASSWORD, address: 'test' })

async function put(name: string, content: string): Promise<void> {
  const source = streamed(Buffer.from(content))
  await other.store.upload(other.identity, { name, source, type: 'text/plain' })
}

const newFolder = async () => join(await mkdtemp(join(scratch, 'gateway-')), 'listings')

/** A gateway that starts, lists all and ends; it tells what it listed and said in its log. */
async function listedByNewGateway(folder: string) {
  const conf = loadConf({ file: cluster.dfcConfFile, schema: dfcConfSchema })
  const lines: string[] = []
  const log = (line: string) => lines.push(line)
  const store = createStore({ conf, snapshots: { folder, minFiles: 1 }, log })
  try {
    await store.ready()
    const { files } = await store.list(await signIn(store), {})
    await whenKept(folder, lines)
    return { files, lines }
  } finally {
    await store.close()
  }
}

/** It is kept in the background. */
async function whenKept(folder: string, lines: string[]): Promise<void> {
  for (let tries = 0; tries < 200 && lines.length === 0; tries++) {
    const names = await readdir(folder).catch(() => [])
    if (names.some((name) => name.endsWith('.listing'))) return
    await sleep(25)
  }
}

async function expected(): Promise<FileInfo[]> {
  return (await other.store.list(other.identity, {})).files
}

async function snapshotIn(folder: string): Promise<string> {
  const names = await readdir(folder)
  assert.equal(names.length, 1, names.join())
  return join(folder, names[0]!)
}

const snapshotsOf = (folder: string, maxTotalBytes?: number) =>
  createListingSnapshots({
    ...{ folder, minFiles: 1, log: () => {} },
    ...(maxTotalBytes === undefined ? {} : { maxTotalBytes }),
  })

test('what was kept is what a gateway begins with, and no name can be read in it', async () => {
  const folder = await newFolder()
  const first = await listedByNewGateway(folder)
  assert.deepEqual(first.files, await expected())
  const file = await snapshotIn(folder)
  assert.equal((await stat(file)).mode & 0o077, 0)
  assert.equal((await stat(folder)).mode & 0o077, 0)
  const bytes = await readFile(file)
  for (const word of [USER, 'paper', 'folder', 'text/plain']) {
    assert.ok(!bytes.includes(word) && !file.includes(word), word)
  }
  // Changed by its owner's key: what is listed then comes from it and not from the nodes.
  const snapshots = snapshotsOf(folder)
  const known = (await snapshots.load(other.identity))!
  known.index.table.describe(0, {
    ...{ name: 'from the disk', size: 1, type: '', modified: 0, x: 0 },
    ...{ bytes: Buffer.alloc(16), md5At: 0 },
  })
  await rm(file)
  assert.ok(snapshots.keep(other.identity, known))
  await whenKept(folder, [])
  await snapshots.close()
  const second = await listedByNewGateway(folder)
  assert.ok(second.files.some(({ name }) => name === 'from the disk'))
})

test('what others put, replaced, moved and deleted meanwhile is there', async () => {
  const folder = await newFolder()
  await listedByNewGateway(folder)
  await put('new', 'new')
  await put(NAMES[3]!, 'another content')
  await other.store.remove(other.identity, { name: NAMES[4]! })
  await other.store.move(other.identity, { name: NAMES[5]!, to: 'moved' })
  await other.store.remove(other.identity, { name: NAMES[7]! })
  await put(NAMES[7]!, 'back again')
  assert.deepEqual((await listedByNewGateway(folder)).files, await expected())
  const names = (await expected()).map(({ name }) => name)
  assert.ok(names.includes('new') && names.includes('moved') && names.includes(NAMES[7]!))
  assert.ok(!names.includes(NAMES[4]!) && !names.includes(NAMES[5]!))
})

test('a deletion is remembered, also where a node slept through it', async () => {
  const folder = await newFolder()
  await put('short-lived', 'x')
  const sleeper = cluster.nodes[0]!
  await sleeper.kill()
  try {
    await cluster.whenUp(other.store, [2, 3, 4])
    await other.store.remove(other.identity, { name: 'short-lived' })
    const { files } = await listedByNewGateway(folder)
    assert.ok(!files.some(({ name }) => name === 'short-lived'))
  } finally {
    await sleeper.start()
    await cluster.whenUp(other.store, ALL_NODES)
  }
  const { files } = await listedByNewGateway(folder)
  assert.ok(!files.some(({ name }) => name === 'short-lived'))
})

test('a snapshot that is torn, changed, mixed, empty or of another user counts for nothing', async () => {
  const folder = await newFolder()
  await listedByNewGateway(folder)
  const file = await snapshotIn(folder)
  const whole = await readFile(file)
  const changed = (at: number) => {
    const bytes = Buffer.from(whole)
    bytes[at]! ^= 1
    return bytes
  }
  const rest = await newFolder()
  await listedByNewGateway(rest)
  const another = await readFile(await snapshotIn(rest))
  const middle = whole.length >> 1
  const bad = {
    empty: Buffer.alloc(0),
    'its id changed': changed(3),
    'its head changed': changed(40),
    'its page changed': changed(middle),
    'its length changed': changed(16),
    'its tag changed': changed(whole.length - 1),
    torn: whole.subarray(0, middle),
    'without its end': whole.subarray(0, whole.length - 1),
    'mixed of two': Buffer.concat([whole.subarray(0, 300), another.subarray(300)]),
  }
  for (const [what, bytes] of Object.entries(bad)) {
    await writeFile(file, bytes)
    assert.equal(await snapshotsOf(folder).load(other.identity), undefined, what)
    assert.deepEqual((await listedByNewGateway(folder)).files, await expected(), what)
  }
  await cluster.addUser('bob', PASSWORD)
  const bob = await other.store.signIn({ user: 'bob', password: PASSWORD, address: 'test' })
  await snapshotsOf(folder).close()
  assert.equal(await snapshotsOf(folder).load(bob), undefined)
})

test('what a node that lost its folder said before counts for nothing', { timeout }, async () => {
  const folder = await newFolder()
  await listedByNewGateway(folder)
  const node = cluster.nodes[2]!
  await node.kill()
  await cluster.whenUp(other.store, [1, 2, 4])
  await rm(node.folder, { recursive: true })
  await mkdir(node.folder)
  await node.start()
  await cluster.whenUp(other.store, ALL_NODES)
  // The others give it all back; until then no copy may be listed that it lost.
  for (;;) {
    const { files } = await listedByNewGateway(folder)
    const states = new Set(files.map(({ state }) => state))
    const real = await expected()
    assert.equal(files.length, real.length)
    if (states.size > 1 || !states.has('complete')) continue
    assert.ok(real.every(({ state }) => state === 'complete'))
    assert.deepEqual(files, real)
    return
  }
})

test('where nothing can be kept the log says so once, and all is listed', async () => {
  const file = join(scratch, 'no folder')
  await writeFile(file, '')
  const { files, lines } = await listedByNewGateway(join(file, 'listings'))
  assert.deepEqual(files, await expected())
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /cannot be kept in .* \(ENOTDIR\)/)
})

test('what another worker takes away while the folder is looked through hinders nothing', async () => {
  const folder = await newFolder()
  await mkdir(folder)
  // Named in the folder, and not there when it is looked at.
  await symlink('nowhere', join(folder, '00.listing.0a0b0c0d'))
  const { files, lines } = await listedByNewGateway(folder)
  assert.deepEqual(files, await expected())
  assert.deepEqual(lines, [])
})

test('snapshots that are old, left over or too many are removed', { timeout }, async () => {
  const folder = await newFolder()
  await listedByNewGateway(folder)
  const file = await snapshotIn(folder)
  const old = join(folder, '00.listing')
  const leftOver = `${file}.0a0b0c0d`
  for (const path of [old, leftOver]) {
    await writeFile(path, 'x')
    await utimes(path, 0, 0)
  }
  const known = (await snapshotsOf(folder).load(other.identity))!
  const roomy = snapshotsOf(folder)
  await rm(file)
  roomy.keep(other.identity, known)
  await whenKept(folder, [])
  while ((await readdir(folder)).length > 1) await sleep(25)
  assert.deepEqual(await readdir(folder), [file.split('/').at(-1)])
  const tight = snapshotsOf(folder, 10)
  tight.keep(other.identity, known)
  while ((await readdir(folder)).length > 0) await sleep(25)
})
