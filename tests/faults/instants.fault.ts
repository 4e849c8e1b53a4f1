// Death at one instant: a node, or the gateway, is killed just as one message of an upload or a
// delete is on its way to that node, or just after the node has done it and before anybody knows.
// Whatever the client was told is then true for every set of nodes that can be read from.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { request } from 'undici'
import { basic } from '../gateway/http/client.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { ALL_NODES, type Arena, password, startArena } from './arena.ts'

const LIMIT_MS = 30_000
/** Below what the gateway waits for a silent node, so that the nodes decide before it. */
const GRACE_MS = 400
const SIZES = { small: 5000, large: 3 * ROW + 7 }
const ABSENT = 'absent'
/** The node to which the message goes. */
const NODE = 3
const authorization = basic('ben', password('ben'))

let arena: Arena

before(async () => {
  arena = await startArena({ graceMs: GRACE_MS })
})

after(() => arena[Symbol.asyncDispose]())

const messages = [
  ['small', 'store'],
  ['small', 'commit'],
  ['large', 'open'],
  ['large', 'append'],
  ['large', 'prepare'],
  ['large', 'commit'],
  ['small', 'delete'],
  ['large', 'delete'],
] as const

for (const victim of ['node', 'gateway'] as const) {
  for (const [size, op] of messages) {
    for (const isAnswer of [false, true]) {
      // Rows are not answered.
      if (op === 'append' && isAnswer) continue
      const moment = isAnswer ? 'done and not yet answered' : 'on its way'
      test(`the ${victim} dies while ${op} of a ${size} file is ${moment}`, async (t) => {
        t.diagnostic(await checkInstant({ victim, size, op, isAnswer }))
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
    await ask('PUT', name, seededBytes(name, SIZES.small))
    const missed = ALL_NODES.filter((number) => !reached.includes(number))
    const relays = missed.map((number) => arena.gateways[0]!.relays[number - 1]!)
    for (const relay of relays) {
      relay.ambush({ sought: opBytes('delete'), isAnswer: false, spring() {} })
    }
    const told = await ask('DELETE', name)
    assert.equal(told.code, 'OUTCOME_UNKNOWN')
    for (const relay of relays) relay.become({ kind: 'fair' })
    await arena.whenSeen(ALL_NODES)
    for (const away of [[], reached, missed, []]) {
      assert.equal(await whileAway(away, name), ABSENT)
    }
  })
}

test('an upload that no node confirms and none can be told to forget is answered as unknown', async () => {
  const name = 'unknown to all'
  await ask('PUT', name, seededBytes('old', SIZES.small))
  const { relays } = arena.gateways[0]!
  for (const relay of relays) {
    relay.ambush({ sought: opBytes('store'), isAnswer: true, spring() {} })
  }
  const fresh = seededBytes('new', SIZES.small)
  const told = await ask('PUT', name, fresh)
  assert.equal(told.code, 'OUTCOME_UNKNOWN')
  await settled()
  for (const relay of relays) relay.become({ kind: 'fair' })
  await arena.whenSeen(ALL_NODES)
  assert.equal(await whileAway([], name), md5Hex(fresh))
})

test('an upload that the nodes gave up for the slowness of one is not acknowledged', async () => {
  const name = 'too slow'
  const old = seededBytes('old', SIZES.large)
  await ask('PUT', name, old)
  const relay = arena.gateways[0]!.relays[NODE - 1]!
  relay.ambush({
    ...{ sought: opBytes('prepare'), isAnswer: false, isHeld: true },
    spring: () => void settled().then(() => relay.become({ kind: 'fair' })),
  })
  const told = await ask('PUT', name, seededBytes('new', SIZES.large))
  assert.equal(told.code, 'STALE_VERSION')
  assert.equal(await whileAway([], name), md5Hex(old))
})

/** By now the nodes have decided what their gateway has not. */
function settled(): Promise<void> {
  return wait(3 * GRACE_MS)
}

interface Instant {
  victim: 'node' | 'gateway'
  size: 'small' | 'large'
  op: string
  isAnswer: boolean
}

/** Answers what the client was told and what became of the file. */
async function checkInstant({ victim, size, op, isAnswer }: Instant): Promise<string> {
  const name = `${victim} ${size} ${op} ${isAnswer}`
  const [old, fresh] = ['old', 'new'].map((seed) => seededBytes(name + seed, SIZES[size]))
  const kept = await ask('PUT', name, old)
  assert.equal(kept.status, 201)
  const died = Promise.withResolvers<void>()
  const dying = victim === 'node' ? arena.cluster.nodes[NODE - 1]! : arena.gateways[0]!
  const relay = arena.gateways[0]!.relays[NODE - 1]!
  relay.ambush({
    sought: opBytes(op),
    isAnswer,
    spring: () => died.resolve(dying.kill('SIGKILL')),
  })
  const told = await (op === 'delete' ? ask('DELETE', name) : ask('PUT', name, fresh))
  await died.promise
  relay.become({ kind: 'fair' })
  await dying.start()
  await arena.whenSeen(ALL_NODES)
  const [before, later] = [md5Hex(old!), op === 'delete' ? ABSENT : md5Hex(fresh!)]
  const may = told.status === 0 || told.code === 'OUTCOME_UNKNOWN' ? [before, later] : undefined
  const must = told.status >= 300 ? before : later
  const seen: string[] = []
  // Either pair of opposite nodes alone, and then all: the same for each.
  for (const away of [[], [1, 3], [2, 4], []]) {
    const found = await whileAway(away, name)
    seen.push(found === later ? 'new' : found === before ? 'old' : found)
    if (may === undefined) assert.equal(found, must, `${told.status} ${told.code}, ${seen}`)
    else assert.ok(may.includes(found), `${seen}`)
  }
  assert.equal(new Set(seen).size, 1, `${told.status} ${told.code}, ${seen}`)
  return `told ${told.status} ${told.code}: ${seen[0]}`
}

/** What the second gateway reads while it cannot reach the nodes `away`. */
async function whileAway(away: readonly number[], name: string): Promise<string> {
  const { relays, url } = arena.gateways[1]!
  const cut = away.map((number) => relays[number - 1]!)
  for (const relay of cut) relay.become({ kind: 'cut' })
  const left = ALL_NODES.filter((number) => !away.includes(number))
  await arena.whenSeen(left, 1)
  const { statusCode, body } = await request(`${url}/files/${encodeURIComponent(name)}`, {
    headers: { authorization },
  })
  const bytes = Buffer.from(await body.arrayBuffer())
  for (const relay of cut) relay.become({ kind: 'fair' })
  await arena.whenSeen(ALL_NODES, 1)
  if (statusCode === 404) return ABSENT
  return statusCode === 200 ? md5Hex(bytes) : `${statusCode} ${bytes}`
}

/** Status 0: the connection broke. */
async function ask(method: 'PUT' | 'DELETE', name: string, body?: Buffer) {
  try {
    const url = `${arena.gateways[0]!.url}/files/${encodeURIComponent(name)}`
    const answer = await request(url, {
      method,
      headers: { authorization },
      headersTimeout: LIMIT_MS,
      ...(body !== undefined && { body }),
    })
    const text = await answer.body.text()
    const code = answer.statusCode < 300 ? '' : String(JSON.parse(text).code)
    return { status: answer.statusCode, code }
  } catch {
    return { status: 0, code: '' }
  }
}

/** How `op` stands in the header of a request: CBOR texts of fewer than 24 bytes. */
function opBytes(op: string): Buffer {
  return Buffer.from(`bop${String.fromCharCode(0x60 + op.length)}${op}`, 'latin1')
}
