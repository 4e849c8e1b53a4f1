// Ten thousand broken copies of valid frames: the node answers or closes, lives on, keeps what it had, and
// grows no larger. The seed is printed; FOURFOLD_SEED repeats a run.
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { newVersion } from '@fourfold/storage-node/protocol'
import { startNodeProcess } from '../support/storage-node.ts'
import {
  commit,
  newStoredFile,
  prepare,
  prepareOf,
  readPart,
  store,
} from '../support/stored-file.ts'
import { accountOf, type Prover, type WireClient } from '../support/wire-client.ts'

const COUNT = 10_000
/** Mutated frames that share a connection, as long as it lasts. */
const PER_CONNECTION = 10
const AT_ONCE = 16

test('10,000 mutated frames leave the node alive, right and no larger', async (t) => {
  const seed = Number(process.env.FOURFOLD_SEED ?? randomInt(0x7fff_ffff))
  t.diagnostic(`seed ${seed}`)
  const random = randomOf(seed)
  await using server = await startNodeProcess()
  await using client = await server.connect()
  const small = newStoredFile()
  const large = newStoredFile({ rows: 4, pieceBytes: 70_000 })
  await store(client, server.alice, small)
  await commit(client, server.alice, small)
  await prepare(client, server.alice, large)
  await commit(client, server.alice, large)

  const run = async (count: number) => {
    const lanes = Array.from({ length: AT_ONCE }, async () => {
      for (let at = 0; at < count / AT_ONCE; at += PER_CONNECTION) {
        await attack(server.port, () => {
          const frames = framesOf(client, server.alice, server.cluster('alice'))
          return mutate(frames[Math.floor(random() * frames.length)]!, random)
        })
      }
    })
    await Promise.all(lanes)
  }
  await run(COUNT / 5)
  const { pid } = server.process.child
  const beforeBytes = residentBytes(pid!)
  await run((COUNT * 4) / 5)
  const afterBytes = residentBytes(pid!)
  t.diagnostic(`resident ${beforeBytes >> 20} MiB, then ${afterBytes >> 20} MiB`)
  assert.ok(afterBytes < beforeBytes * 1.3 + 16 * 2 ** 20)
  await client.request('ping', {})
  assert.deepEqual(await readPart(client, server.alice, { stored: small, part: 1 }), [
    small.rows[0]![0],
  ])
  assert.deepEqual(
    await readPart(client, server.alice, { stored: large, part: 2 }),
    large.rows.map(([, piece]) => piece),
  )
  assert.doesNotMatch(server.process.output(), /error:/)
})

/** Sends mutated frames until the node closes or all are sent; waits for the end either way. */
function attack(port: number, next: () => Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const timer = setTimeout(() => {
      reject(new Error('the node neither answered nor closed'))
      socket.destroy()
    }, 30_000)
    socket.on('data', () => {})
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.on('connect', () => {
      for (let index = 0; index < PER_CONNECTION; index++) socket.write(next())
      socket.end()
    })
  })
}

/** Valid frames of every command, with proofs that hold on another connection. */
function framesOf(client: WireClient, as: Prover, operator: Prover): Buffer[] {
  const stored = newStoredFile({ pieceBytes: 300 })
  const { file, version, x, sealed, rows } = stored
  const upload = randomBytes(16)
  const body = rows[0]!
  const account = accountOf('alice', randomBytes(32), 2)
  return [
    client.frame('ping', {}),
    client.frame('salt', { user: 'alice' }),
    client.frame('account', {}, { as }),
    client.frame('account-prepare', { account }, { as }),
    client.frame('account-list', {}, { as: operator }),
    client.frame('lookup', { file, withParts: true }, { as }),
    client.frame('changes', { since: 0, limit: 100 }, { as }),
    client.frame('read', { file, version, part: 1, from: 0, to: 1 }, { as }),
    client.frame('open', { upload, first: 0, size: 1000 }, { as }),
    client.frame('append', { upload, row: 0 }, { as, body }),
    client.frame('prepare', prepareOf(stored, upload), { as }),
    client.frame('store', { file, version, x, sealed, condition: null }, { as, body }),
    client.frame('delete', { file, version: newVersion(Date.now()) }, { as }),
    client.frame('status', {}, { as: operator }),
  ]
}

/** Flips, cuts, doubles, inserts, or lies about a length; sometimes with a checksum that is right again. */
function mutate(frame: Buffer, random: () => number): Buffer {
  const at = Math.floor(random() * frame.length)
  const count = 1 + Math.floor(random() * 4)
  const changed = Buffer.from(frame)
  switch (Math.floor(random() * 6)) {
    case 0:
      for (let index = 0; index < count; index++) {
        changed[Math.floor(random() * frame.length)]! ^= 1 << Math.floor(random() * 8)
      }
      return changed
    case 1:
      return changed.subarray(0, at)
    case 2:
      return Buffer.concat([frame.subarray(0, at), frame.subarray(Math.floor(at / 2))])
    case 3:
      return Buffer.concat([frame.subarray(0, at), randomBytes(count * 7), frame.subarray(at)])
    case 4:
      changed.writeUInt32BE(Math.floor(random() * 70_000), 4 * (2 + (count % 2)))
      return changed
    default:
      return changed.fill(Math.floor(random() * 256), at, at + count * 9)
  }
}

/** Mulberry32: small, seeded, good enough to choose what to break. */
function randomOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kilobytes) * 1024
}
