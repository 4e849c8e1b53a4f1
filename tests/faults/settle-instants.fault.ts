// Death while the nodes decide among themselves what a gateway that died has left: a node is killed
// just as another one's question is on its way to it, or just as it has answered and nobody knows.
// Afterwards every set of nodes that can be read from shows the same, and what all four had
// prepared is the file.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestNode } from '../support/cluster.ts'
import { type Arena, startArena } from './arena.ts'
import { checkInstant, opBytes } from './instant.ts'

/** Long enough for a slow machine to bring an upload from its prepare to its commit. */
const GRACE_MS = 1500
const DIED_LIMIT_MS = 30_000

let arena: Arena
let count = 0

before(async () => {
  arena = await startArena({ graceMs: GRACE_MS, hasPeerRelays: true })
})

after(() => arena?.[Symbol.asyncDispose]())

/** What is left undecided, and how a question of it stands in a header (CBOR). */
const left = ['on all four', 'on three'] as const
const questions = [
  ['what it has', 'f4'],
  ['that it binds itself', 'f5'],
] as const

for (const prepared of left) {
  for (const [what, decide] of questions) {
    for (const isAnswer of [false, true]) {
      for (const victim of ['asked', 'other'] as const) {
        const moment = isAnswer ? 'has just told' : 'is asked to tell'
        const who = victim === 'asked' ? 'it' : 'another node'
        test(`prepared ${prepared}: ${who} dies when a node ${moment} ${what}`, async (t) => {
          const number = (count++ % 4) + 1
          const change = count % 3 === 0 ? 'create' : 'overwrite'
          const sought = Buffer.concat([Buffer.from('fdecide'), Buffer.from(decide, 'hex')])
          let dying: TestNode | undefined
          const begin = async () => {
            const died = Promise.withResolvers<void>()
            const { nodes } = arena.cluster
            // Whichever node looks first asks the three others.
            const relays = arena.peerRelays
            for (const [index, relay] of relays.entries()) {
              const spring = () => {
                for (const other of relays) other.ambush(undefined)
                dying = nodes[victim === 'asked' ? index : (index + 1) % 4]!
                died.resolve(dying.kill('SIGKILL'))
              }
              relay.ambush({ sought, isAnswer, spring })
            }
            const gatewayDied = leaveUndecided(prepared, number)
            return async () => {
              await within('the gateway', gatewayDied)
              await within('a node', died.promise)
              for (const relay of [...relays, ...arena.gateways[0]!.relays]) {
                relay.become({ kind: 'fair' })
              }
              await Promise.all([dying!.start(), arena.gateways[0]!.start()])
              await arena.whenSettled()
            }
          }
          const name = `${prepared} ${what} ${isAnswer} ${victim}`
          const { told, seen } = await checkInstant(arena, { name, change, size: 'small', begin })
          assert.equal(told.status, 0, `${told.status} ${told.code}: the gateway lives`)
          if (prepared === 'on all four') assert.equal(seen, 'new')
          t.diagnostic(`DFS${dying!.number} died, ${change}: ${seen}`)
        })
      }
    }
  }
}

/** Resolves when the gateway died and its upload is prepared on all nodes, or all but `without`. */
function leaveUndecided(prepared: (typeof left)[number], without: number): Promise<void> {
  const [gateway] = arena.gateways
  const died = Promise.withResolvers<void>()
  const spring = () => died.resolve(gateway!.kill('SIGKILL'))
  const relays = gateway!.relays
  const sought = opBytes(prepared === 'on all four' ? 'commit' : 'store')
  const caught = prepared === 'on all four' ? relays : [relays[without - 1]!]
  // The three others have it before the gateway dies: it dies when the last is caught.
  let leftCount = caught.length
  for (const relay of caught) {
    relay.ambush({
      ...{ sought, isAnswer: false },
      spring: () => --leftCount === 0 && setTimeout(spring, GRACE_MS / 10),
    })
  }
  return died.promise
}

function within(who: string, died: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const why = new Error(`The moment in which ${who} was to die did not come.`)
  const timer = setTimeout(() => reject(why), DIED_LIMIT_MS)
  return Promise.race([died, promise]).finally(() => clearTimeout(timer))
}
