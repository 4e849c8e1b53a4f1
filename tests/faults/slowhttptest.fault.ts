// slowhttptest against a gateway: a thousand connections that trickle their headers or their
// bodies, or take an answer a few bytes at a time. Beside them people get their files.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { basic, call } from '../gateway/http/client.ts'
import { startCluster } from '../support/cluster.ts'
import { ROW, seededBytes } from '../support/content.ts'

const CONNECTIONS = 1000
const SECONDS = 30
const BETWEEN_PROBES_MS = 50
const PASSWORD = 'a password'
const run = promisify(execFile)

const isInstalled = spawnSync('slowhttptest', ['-h']).error === undefined
const skip = isInstalled ? false : 'slowhttptest is not installed'

const MODES = [
  { name: 'headers', path: '/files/small', flags: ['-H', '-i', '5'] },
  { name: 'bodies', path: '/files', flags: ['-B', '-i', '5', '-s', '8192', '-t', 'POST'] },
  { name: 'readers', path: '/', flags: ['-X', '-w', '10', '-y', '20', '-n', '5', '-z', '32'] },
]

for (const { name, path, flags } of MODES) {
  test(`slow ${name} of a thousand connections keep nobody from a file`, { skip }, async (t) => {
    await using cluster = await startCluster({ gateways: 1 })
    await cluster.addUser('alice', PASSWORD)
    const authorization = basic('alice', PASSWORD)
    const url = cluster.urls[0]!
    const body = seededBytes('small', 4096)
    const put = await call(`${url}/files/small`, { method: 'PUT', body, authorization })
    assert.equal(put.status, 201)

    const of = ['-c', String(CONNECTIONS), '-r', '200', '-l', String(SECONDS), '-p', '3']
    let isOver = false
    const attack = run('slowhttptest', [...of, ...flags, '-u', url + path], {
      timeout: (SECONDS + 60) * 1000,
      maxBuffer: 16 * ROW,
    }).finally(() => {
      isOver = true
    })
    const waitsMs: number[] = []
    while (!isOver) {
      const startMs = performance.now()
      const got = await call(`${url}/files/small`, { authorization })
      assert.ok(got.body.equals(body), `${got.status}`)
      waitsMs.push(performance.now() - startMs)
      await setTimeout(BETWEEN_PROBES_MS)
    }
    const { stdout } = await attack
    waitsMs.sort((one, other) => one - other)
    const at = (share: number) => Math.round(waitsMs[Math.floor(share * (waitsMs.length - 1))]!)
    t.diagnostic(`${waitsMs.length} files beside it, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
    assert.match(stdout, /service available:\S*\s+\S*YES/)
    assert.doesNotMatch(stdout, /service available:\S*\s+\S*NO/)
  })
}
