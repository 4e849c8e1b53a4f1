// Changing a password: over HTTP, by the form of the page, and cut off between the nodes. Who does
// it stays signed in, everybody else with the old password does not, and the files stay.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import {
  type AccountRecord,
  clientKey,
  keyEncryptionKey,
  saltedPassword,
  storedKey,
} from '@fourfold/storage-node/protocol'
import { wrapUserKey } from '../../../gateway/dfs/keys.ts'
import type { Store } from '../../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { until } from '../../support/ring.ts'
import { type Prover, WireClient } from '../../support/wire-client.ts'
import { basic, call, formBrowser } from './client.ts'

const NUMBERS = [1, 2, 3, 4]
let cluster: TestCluster
let url: string
let store: Store

before(async () => {
  // Nodes hear of each other's accounts only where a test waits for it.
  cluster = await startCluster({ gateways: 1, dfsConf: 'repair.look_every_ms = 3600000' })
  url = cluster.urls[0]!
  store = await cluster.store()
})

after(() => cluster?.[Symbol.asyncDispose]())

function change(authorization: string, current: string, next: string) {
  return call(`${url}/account/password`, {
    method: 'POST',
    body: JSON.stringify({ current, next }),
    headers: { 'content-type': 'application/json' },
    authorization,
  })
}

const listing = (user: string, password: string) =>
  call(`${url}/files`, { authorization: basic(user, password) })

test('a changed password holds at once, the old one no longer, and the files stay', async () => {
  await cluster.addUser('alice', 'first password')
  const old = basic('alice', 'first password')
  await call(`${url}/files/kept`, { method: 'PUT', body: 'kept', authorization: old })
  const answer = await change(old, 'first password', 'second password')
  assert.deepEqual([answer.status, answer.text], [204, ''])
  assert.equal((await listing('alice', 'first password')).status, 401)
  const authorization = basic('alice', 'second password')
  assert.equal((await call(`${url}/files/kept`, { authorization })).text, 'kept')
})

test('a wrong current password and a bad new one are refused, and nothing changes', async () => {
  await cluster.addUser('bob', 'bobs password')
  const as = basic('bob', 'bobs password')
  const wrong = await change(as, 'not it at all', 'new password')
  assert.deepEqual([wrong.status, wrong.json.code], [403, 'PASSWORD_WRONG'])
  const short = await change(as, 'bobs password', 'short')
  assert.deepEqual([short.status, short.json.code], [400, 'PASSWORD_INVALID'])
  const nobody = await change(basic('bob', 'wrong'), 'bobs password', 'new password')
  assert.deepEqual([nobody.status, nobody.json.code], [401, 'AUTH_FAILED'])
  assert.equal((await listing('bob', 'bobs password')).status, 200)
})

test('the form keeps its browser signed in and signs all others out', async () => {
  await cluster.addUser('carol', 'carols password')
  const [here, there] = [formBrowser(url), formBrowser(url)]
  for (const one of [here, there]) {
    await one.submit('/session', { user: 'carol', password: 'carols password', next: '/' })
  }
  assert.match((await here.send('/')).text, /href="\/account"/)
  assert.match((await here.send('/account')).text, /action="\/account\/password"/)
  const fields = { current: 'carols password', next: 'new password' }
  const path = '/account/password'
  const typo = await here.submit(path, { ...fields, again: 'another one' })
  assert.equal(typo.status, 400)
  assert.match(typo.text, /The two new passwords are not the same\./)
  const wrong = await here.submit(path, { ...fields, current: 'wrong', again: fields.next })
  assert.equal(wrong.status, 403)
  assert.match(wrong.text, /The current password is wrong\./)
  const foreign = { origin: 'http://evil.example' }
  assert.equal((await here.submit(path, { ...fields, again: fields.next }, foreign)).status, 403)
  const done = await here.submit(path, { ...fields, again: fields.next })
  assert.deepEqual([done.status, done.headers.location], [303, '/'])
  assert.match((await here.send('/')).text, /The password is changed\./)
  const json = { headers: { accept: 'application/json' } }
  for (const address of ['/files', '/nodes', '/events', '/uploads']) {
    const answer = await there.send(address, {
      ...json,
      ...(address === '/uploads' && { method: 'POST' }),
    })
    assert.equal(answer.status, 401, address)
    await there.submit('/session', { user: 'carol', password: 'carols password', next: '/' })
  }
  assert.match((await there.send('/')).text, /name="password"/)
})

/** A record as a change makes it, as far as it came: prepared on all nodes, committed on some. */
async function cutOff(user: string, change: { old: string; next: string; on: number[] }) {
  const identity = await store.signIn({ user, password: change.old, address: 'cut' })
  const salt = randomBytes(16)
  const salted = await saltedPassword({ password: change.next, salt, rounds: 4096 })
  const account: AccountRecord = {
    ...{ user, change: Date.now() * 1000, salt, rounds: 4096 },
    storedKeys: NUMBERS.map((number) => storedKey(clientKey(salted, number))),
    wrappedKey: wrapUserKey(keyEncryptionKey(salted), user, identity.userKey.export()),
  }
  const as: Prover = { by: 'cluster', user, key: cluster.clusterKey }
  for (const number of NUMBERS) {
    await using client = await WireClient.connect(cluster.nodes[number - 1]!.port)
    await client.request('account-prepare', { account }, { as })
    if (!change.on.includes(number)) continue
    await client.request('account-commit', { change: account.change }, { as })
  }
}

/** Whether each node takes the password for right. */
async function acceptance(user: string, password: string): Promise<boolean[]> {
  const accepts = async (number: number) => {
    await using client = await WireClient.connect(cluster.nodes[number - 1]!.port)
    const { salt, rounds } = (await client.request('salt', { user })).header
    const salted = await saltedPassword({ password, salt: Buffer.from(salt), rounds })
    const as: Prover = { by: 'user', user, key: clientKey(salted, number) }
    return await client.request('account', {}, { as }).then(
      () => true,
      () => false,
    )
  }
  return Promise.all(NUMBERS.map(accepts))
}

for (const on of [[2], [1, 4], [1, 2, 3]]) {
  test(`a change that only DFS${on.join(', DFS')} heard of: both passwords hold, and repeating it finishes it`, async () => {
    const user = `cut-${on.length}`
    await cluster.addUser(user, 'old password')
    await cutOff(user, { old: 'old password', next: 'new password', on })
    for (const password of ['old password', 'new password']) {
      assert.equal((await listing(user, password)).status, 200, password)
    }
    assert.equal((await listing(user, 'wrong password')).status, 401)
    const request = { user, oldPassword: 'old password', newPassword: 'new password' }
    // The second time it is done already.
    for (let times = 0; times < 2; times++) {
      await store.accounts.changePassword({ ...request, address: 'again' })
    }
    assert.deepEqual(await acceptance(user, 'new password'), [true, true, true, true])
    const third = { user, oldPassword: 'new password', newPassword: 'third password' }
    await store.accounts.changePassword({ ...third, address: 'again' })
    assert.deepEqual(await acceptance(user, 'third password'), [true, true, true, true])
  })
}

test('a change that is never repeated spreads among the nodes by itself', async () => {
  await cluster.addUser('spread', 'old password')
  await cutOff('spread', { old: 'old password', next: 'new password', on: [3] })
  const text = readFileSync(cluster.dfsConfFile, 'utf8')
  writeFileSync(cluster.dfsConfFile, text.replace('look_every_ms = 3600000', 'look_every_ms = 200'))
  for (const index of [0, 1, 3]) {
    await cluster.nodes[index]!.kill('SIGTERM')
    await cluster.nodes[index]!.start()
  }
  await until('all four take the new password', async () => {
    const accepted = await acceptance('spread', 'new password')
    return accepted.every((isAccepted) => isAccepted)
  })
  assert.deepEqual(await acceptance('spread', 'old password'), [false, false, false, false])
})
