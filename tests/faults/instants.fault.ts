// Death at one instant: a node, or the gateway, is killed just as one message of an upload or a
// delete is on its way to that node, or just after the node has done it and before anybody knows.
// Whatever the client was told is then true for every set of nodes that can be read from.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { md5Hex, seededBytes } from '../support/content.ts'
import { ALL_NODES, type Arena, startArena } from './arena.ts'
import { ABSENT, ask, checkInstant, opBytes, put, SIZES, whileAway } from './instant.ts'

/** Below what the gateway waits for a silent node, so that the nodes decide before it. */
const GRACE_MS = 400
/** The node that is slow. */
const NODE = 3

let arena: Arena
let count = 0

before(async () => {
  arena = await startArena({ graceMs: GRACE_MS })
})

after(() => arena?.[Symbol.asyncDispose]())

const messages = [
  ['small', 'create', 'store'],
  ['small', 'overwrite', 'store'],
  ['small', 'overwrite', 'commit'],
  ['large', 'create', 'open'],
  ['large', 'overwrite', 'append'],
  ['large', 'create', 'prepare'],
  ['large', 'overwrite', 'prepare'],
  ['large', 'create', 'commit'],
  ['large', 'overwrite', 'commit'],
  ['small', 'delete', 'delete'],
  ['large', 'delete', 'delete'],
  ['small', 'move', 'move'],
  ['large', 'move', 'move'],
  ['large', 'move', 'commit'],
] as const

for (const victim of ['node', 'gateway'] as const) {
  for (const [size, change, op] of messages) {
    for (const isAnswer of [false, true]) {
      // Rows are not answered.
      if (op === 'append' && isAnswer) continue
      const moment = isAnswer ? 'done and not yet answered' : 'on its way'
      test(`the ${victim} dies while ${op} (${change} a ${size} file) is ${moment}`, async (t) => {
        // Each of the four nodes in turn.
        const node = (count++ % 4) + 1
        const name = `${victim} ${size} ${change} ${op} ${isAnswer}`
        const begin = async () => {
          const died = Promise.withResolvers<void>()
          const dying = victim === 'node' ? arena.cluster.nodes[node - 1]! : arena.gateways[0]!
          const relay = arena.gateways[0]!.relays[node - 1]!
          const spring = () => died.resolve(dying.kill('SIGKILL'))
          relay.ambush({ sought: opBytes(op), isAnswer, spring })
          return async () => {
            await died.promise
            relay.become({ kind: 'fair' })
            await dying.start()
          }
        }
        const { told, seen } = await checkInstant(arena, { name, change, size, begin })
        t.diagnostic(`DFS${node}: told ${told.status} ${told.code}: ${seen}`)
      })
    }
  }
}

for (const reached of [
  [1, 3],
  [2, 4],
  [1, 2],
]) {
  test(`a delete that only DFS${reached[0]} and DFS${reached[1]} hear of is one everywhere`, async () => {
    const name = `deleted on ${reached}`
    await put(arena, name, seededBytes(name, SIZES.small))
    const missed = ALL_NODES.filter((number) => !reached.includes(number))
    const relays = missed.map((number) => arena.gateways[0]!.relays[number - 1]!)
    for (const relay of relays) {
      relay.ambush({ sought: opBytes('delete'), isAnswer: false, spring() {} })
    }
    const told = await ask(arena, 'DELETE', name)
    assert.equal(told.code, 'OUTCOME_UNKNOWN')
    for (const relay of relays) relay.become({ kind: 'fair' })
    await arena.whenSeen(ALL_NODES)
    for (const away of [[], reached, missed, []]) {
      assert.equal(await whileAway(arena, away, name), ABSENT)
    }
  })
}

test('an upload that no node confirms and none can be told to forget is answered as unknown', async () => {
  const name = 'unknown to all'
  await put(arena, name, seededBytes('old', SIZES.small))
  const { relays } = arena.gateways[0]!
  for (const relay of relays) {
    relay.ambush({ sought: opBytes('store'), isAnswer: true, spring() {} })
  }
  const fresh = seededBytes('new', SIZES.small)
  const told = await put(arena, name, fresh)
  assert.equal(told.code, 'OUTCOME_UNKNOWN')
  await settled()
  for (const relay of relays) relay.become({ kind: 'fair' })
  await arena.whenSeen(ALL_NODES)
  assert.equal(await whileAway(arena, [], name), md5Hex(fresh))
})

test('an upload that the nodes gave up for the slowness of one is not acknowledged', async () => {
  const name = 'too slow'
  const old = seededBytes('old', SIZES.large)
  await put(arena, name, old)
  const relay = arena.gateways[0]!.relays[NODE - 1]!
  relay.ambush({
    ...{ sought: opBytes('prepare'), isAnswer: false, isHeld: true },
    spring: () => void settled().then(() => relay.become({ kind: 'fair' })),
  })
  const told = await put(arena, name, seededBytes('new', SIZES.large))
  assert.equal(told.code, 'STALE_VERSION')
  assert.equal(await whileAway(arena, [], name), md5Hex(old))
})

/** By now the nodes have decided what their gateway has not. */
function settled(): Promise<void> {
  return wait(3 * GRACE_MS)
}
