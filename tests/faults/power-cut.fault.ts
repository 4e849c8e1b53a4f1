// The power of a node's machine is cut at the moment of an answer, again and again: all that was
// answered is there after the next boot, byte for byte, and what nobody synced is not. In a virtual
// machine whose memory, and with it all that its kernel had not yet written, ends with it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { compareVersions, versionAfter } from '@fourfold/storage-node/protocol'
import { below, randomOf, seedFor } from '../support/random.ts'
import { temporaryFolder } from '../support/storage-node.ts'
import {
  commit,
  newerVersion,
  newStoredFile,
  prepare,
  readPart,
  type StoredFile,
  store,
} from '../support/stored-file.ts'
import {
  boot,
  type MachineFiles,
  makeMachine,
  skipWithoutMachine,
  type VirtualNode,
} from '../support/virtual-machine.ts'
import { accountOf, type Prover, WireClient } from '../support/wire-client.ts'

const CUTS = Number(process.env.FOURFOLD_CUTS ?? 4)
/** Changes that are under way at once; the power is cut at one of their answers. */
const CHANGES = 12
const LARGE = { rows: 3, pieceBytes: 90_000, lastBytes: 7 }

const { path, remove } = temporaryFolder()
const clusterKey = randomBytes(32)
const alice: Prover = { by: 'user', user: 'alice', key: randomBytes(32) }
const operator: Prover = { by: 'cluster', user: 'alice', key: clusterKey }
/** By id in hex: what the node has answered of each file. */
const answered = new Map<
  string,
  { stored: StoredFile; state: 'prepared' | 'committed' | 'deleted' }
>()

let files: MachineFiles
let machine: VirtualNode | undefined

before(() => {
  if (skipWithoutMachine !== false) return
  const conf = 'disk.reserve_bytes = 0\nlimits.idle_timeout_ms = 600000'
  files = makeMachine(path, { conf, clusterKey: clusterKey.toString('hex') })
})

after(async () => {
  await machine?.cutPower()
  remove()
})

test(`what was answered before each of ${CUTS} power cuts is there after it`, {
  skip: skipWithoutMachine,
}, async (t) => {
  const random = randomOf(seedFor(t))
  machine = await boot(files)
  await addAccount(machine.port)
  for (let round = 0; round < CUTS; round++) {
    const cutAfter = 1 + below(2 * CHANGES, random)
    const count = await changeAndCut(machine, cutAfter)
    const startMs = performance.now()
    machine = await boot(files)
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
    t.diagnostic(`cut ${round}: after ${count} answers; ${seconds} s until the node was back`)
    assert.equal(machine.unsyncedBytes, 0, 'what nobody synced is lost')
    await checkAnswered(machine)
  }
  const states = [...answered.values()].map(({ state }) => state)
  const told = (['prepared', 'committed', 'deleted'] as const).map((state) => {
    return `${states.filter((one) => one === state).length} ${state}`
  })
  t.diagnostic(`there after all cuts: ${told.join(', ')}`)
})

async function addAccount(port: number): Promise<void> {
  await using client = await WireClient.connect(port)
  const account = accountOf('alice', alice.key)
  await client.request('account-prepare', { account }, { as: operator })
  await client.request('account-commit', { change: 1 }, { as: operator })
}

/** New files, overwrites and deletions, small and large, until the power goes. */
async function changeAndCut({ port, cutPower }: VirtualNode, cutAfter: number): Promise<number> {
  await using client = await WireClient.connect(port)
  let count = 0
  let cut: Promise<void> | undefined
  const note = (stored: StoredFile, state: 'prepared' | 'committed' | 'deleted') => {
    answered.set(stored.file.toString('hex'), { stored, state })
    if (++count === cutAfter) cut = cutPower()
  }
  const put = async (stored: StoredFile) => {
    await (stored.rows.length > 1 ? prepare : store)(client, alice, stored)
    // An older version of the same file is still the file.
    if (!answered.has(stored.file.toString('hex'))) note(stored, 'prepared')
    await commit(client, alice, stored)
    note(stored, 'committed')
  }
  const bury = async (stored: StoredFile) => {
    const version = versionAfter(stored.version)
    await client.request('delete', { file: stored.file, version }, { as: alice })
    note(stored, 'deleted')
  }
  const old = [...answered.values()].filter(({ state }) => state === 'committed')
  const [buried, replaced] = [old.slice(0, 2), old.slice(2, 4)]
  const fresh = Array.from({ length: CHANGES - buried.length - replaced.length }, (_, index) =>
    newStoredFile(index % 2 === 0 ? { pieceBytes: 3000 } : LARGE),
  )
  await Promise.allSettled([
    ...fresh.map(put),
    ...replaced.map(({ stored }) => put(newerVersion(stored))),
    ...buried.map(({ stored }) => bury(stored)),
  ])
  await (cut ?? cutPower())
  return count
}

/** Whatever came after the last answer about a file may have happened, whole. */
async function checkAnswered({ port }: VirtualNode): Promise<void> {
  await using client = await WireClient.connect(port)
  for (const one of answered.values()) {
    const { stored, state } = one
    const request = { file: stored.file, withParts: false }
    const { header } = await client.request('lookup', request, { as: alice })
    // What is decided comes first; a newer version may be prepared behind it.
    const [found] = header.entries
    assert.ok(found !== undefined, `a file that was ${state} is gone`)
    if (state === 'deleted') {
      assert.equal(found.state, 'deleted')
      continue
    }
    if (!stored.version.equals(found.version)) {
      // It was being replaced or deleted when the power went.
      assert.ok(state === 'committed' && found.state !== 'prepared', `${state}, ${found.state}`)
      assert.ok(compareVersions(found.version, stored.version) > 0)
      answered.delete(stored.file.toString('hex'))
      continue
    }
    if (state === 'committed') assert.equal(found.state, 'committed')
    for (const [at, part] of [1, 2].entries()) {
      const pieces = await readPart(client, alice, { stored, part })
      const sent = stored.rows.map((row) => row[at]!)
      assert.deepEqual(pieces, sent, `part ${part} of a file that was ${state}`)
    }
  }
}
