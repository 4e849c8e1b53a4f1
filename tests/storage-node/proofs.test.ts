// Who may do what: proofs that are missing, wrong, old, of strangers; and how guessing is slowed
// down.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { fakeSalt } from '@fourfold/storage-node/protocol'
import { createThrottle, delayMs, pairOf } from '../../storage-node/throttle.ts'
import { startTestNode } from '../support/storage-node.ts'
import { accountOf, type Prover } from '../support/wire-client.ts'

test('a command without a proof is refused, and the connection lives on', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  await assert.rejects(client.request('account', {}), { code: 'AUTH_REQUIRED' })
  await client.request('ping', {})
  await client.request('account', {}, { as: server.alice })
})

test('a wrong password and an unknown user get the same answer', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const key = randomBytes(32)
  const failureOf = (user: string) =>
    client.request('account', {}, { as: { by: 'user', user, key } }).then(
      () => assert.fail('the proof should not hold'),
      ({ code, message, detail }) => ({ code, message, detail }),
    )
  const [wrong, unknown] = await Promise.all([failureOf('alice'), failureOf('nobody')])
  assert.equal(wrong.code, 'AUTH_FAILED')
  assert.deepEqual(wrong, unknown)
})

test('the salt of an unknown user is stable and looks like any other', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const saltOf = async (user: string) => (await client.request('salt', { user })).header
  const [one, two] = [await saltOf('nobody'), await saltOf('nobody')]
  assert.deepEqual(one, two)
  assert.deepEqual(Buffer.from(one.salt), fakeSalt(server.clusterKey, 'nobody'))
  assert.equal(one.rounds, 600_000)
  assert.notDeepEqual(one.salt, (await saltOf('somebody')).salt)
  const known = await saltOf('alice')
  assert.deepEqual([Buffer.from(known.salt), known.rounds], [Buffer.alloc(16, 1), 4096])
})

test('an account that is only prepared looks unknown', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const account = accountOf('bob', randomBytes(32))
  await client.request('account-prepare', { account }, { as: server.cluster('bob') })
  const { header } = await client.request('salt', { user: 'bob' })
  assert.deepEqual(Buffer.from(header.salt), fakeSalt(server.clusterKey, 'bob'))
})

test('user names must come in their one canonical form', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const refused = { code: 'USERNAME_INVALID' }
  for (const user of ['Alice', 'al ice', 'a:b', '-x']) {
    await assert.rejects(client.request('salt', { user }), refused)
    const as: Prover = { by: 'user', user, key: server.alice.key }
    await assert.rejects(client.request('account', {}, { as }), refused)
  }
})

test('a counter that is not greater than all before is refused, also after a failed proof', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stranger: Prover = { by: 'user', user: 'alice', key: randomBytes(32) }
  await client.request('account', {}, { as, counter: 5 })
  const refused = { code: 'BAD_MESSAGE' }
  await assert.rejects(client.request('account', {}, { as, counter: 5 }), refused)
  await assert.rejects(client.request('account', {}, { as, counter: 4 }), refused)
  await assert.rejects(client.request('account', {}, { as: stranger, counter: 9 }), {
    code: 'AUTH_FAILED',
  })
  await assert.rejects(client.request('account', {}, { as, counter: 8 }), refused)
  await client.request('account', {}, { as, counter: 10 })
})

test('a proof is worth nothing on another connection, for another header, or by the wrong prover', async () => {
  await using server = await startTestNode()
  await using one = await server.connect()
  await using two = await server.connect()
  const as = server.alice
  const id = one.nextId()
  const frame = one.frame('account', {}, { as, counter: 1, id })
  two.socket.write(frame)
  await assert.rejects(two.expect('account', id).next(), { code: 'AUTH_FAILED' })
  const asCluster: Prover = { by: 'cluster', user: 'alice', key: as.key }
  await assert.rejects(one.request('account', {}, { as: asCluster }), { code: 'AUTH_FAILED' })
  const asUser: Prover = { by: 'user', user: 'alice', key: server.clusterKey }
  await assert.rejects(one.request('account', {}, { as: asUser }), { code: 'AUTH_FAILED' })
})

test('one connection serves many users at once', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const users = await Promise.all(
    Array.from({ length: 20 }, (_, index) => server.addUser(`user${index}`)),
  )
  const answers = await Promise.all(users.map((as) => client.request('account', {}, { as })))
  assert.deepEqual(
    answers.map(({ header }) => header.account.user),
    users.map(({ user }) => user),
  )
})

test('the answer to a failed proof waits longer each time, up to five seconds', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 50, 5000].map((failures) => delayMs(failures)),
    [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000],
  )
})

test('guessers in number are refused at once, and those who proved themselves are not', async () => {
  await using server = await startTestNode()
  await using honest = await server.connect()
  await honest.request('account', {}, { as: server.alice })
  await using guesser = await server.connect()
  const guess = () =>
    guesser
      .request('account', {}, { as: { by: 'user', user: 'alice', key: randomBytes(32) } })
      .catch((error) => error.code as string)
  // After four failures each answer waits seconds: long enough for all that follows.
  for (let failures = 0; failures < 4; failures++) assert.equal(await guess(), 'AUTH_FAILED')
  const guesses = Array.from({ length: 12 }, guess)
  const refused = await Promise.all(guesses.slice(8))
  assert.deepEqual(refused, Array(4).fill('AUTH_THROTTLED'))
  await using late = await server.connect()
  await assert.rejects(late.request('account', {}, { as: server.alice }), {
    code: 'AUTH_THROTTLED',
  })
  await honest.request('account', {}, { as: server.alice })
  assert.equal(await guesses[0], 'AUTH_FAILED')
  // Users are slowed down one by one.
  const bob = await server.addUser('bob')
  await late.request('account', {}, { as: bob })
})

test('hundreds of failed proofs on a shared connection do not hold up who proves himself', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const key = randomBytes(32)
  const guesses = Array.from({ length: 400 }, (_, index) =>
    client
      .request('account', {}, { as: { by: 'user', user: `stranger${index}`, key } })
      .catch((error) => error.code as string),
  )
  const order: string[] = []
  const answered = guesses.at(-1)!.then(() => order.push('guesser'))
  await client.request('account', {}, { as: server.alice }).then(() => order.push('alice'))
  await answered
  assert.deepEqual(order, ['alice', 'guesser'])
  assert.deepEqual(new Set(await Promise.all(guesses)), new Set(['AUTH_FAILED']))
})

test('giving up on a delayed answer does not free its place at once', () => {
  const throttle = createThrottle()
  const pair = pairOf('user alice', '127.0.0.1')
  for (let index = 0; index < 8; index++) throttle.delay(pair, () => {})()
  assert.equal(throttle.isClosed(pair), true)
  assert.equal(throttle.isClosed(pairOf('user bob', '127.0.0.1')), false)
})
