// In which order the disk is written, seen from outside by strace: bytes first, then names, then
// the catalog, then the answer. And what happens where a sync fails. Left out where strace cannot
// be used.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { startNodeProcess } from '../support/storage-node.ts'
import { commit, newStoredFile, prepare, prepareOf, stage, store } from '../support/stored-file.ts'

const canTrace = spawnSync('strace', ['-f', 'true'], { timeout: 10_000 }).status === 0
const skip = canTrace ? false : 'strace is not here or not allowed'

test('bytes are synced before names, names before the entry, the entry before the answer', {
  skip,
}, async () => {
  const calls = 'fsync,fdatasync,rename,write,writev,pwrite64'
  await using server = await startNodeProcess({ trace: ['-y', '-e', `trace=${calls}`] })
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 3, pieceBytes: 70_000 })
  const upload = await stage(client, as, stored)
  await client.request('staged', { upload }, { as })
  const from = traceOf(server.traceFile).length
  await client.request('prepare', prepareOf(stored, upload), { as })
  await server.kill('SIGTERM')
  const calm = traceOf(server.traceFile).slice(from)
  const at = (pattern: RegExp, least = 0) => {
    const index = calm.findIndex((line, index) => index >= least && pattern.test(line))
    assert.ok(index >= 0, `${pattern} is not in\n${calm.join('\n')}`)
    return index
  }
  const renamed = at(/rename\(.*parts\/.*= 0/)
  assert.ok(at(/fdatasync\(.*staging\/[0-9a-f]{32}\.0/) < renamed)
  assert.ok(at(/fdatasync\(.*staging\/[0-9a-f]{32}\.1/) < renamed)
  const placed = Math.max(
    at(/fsync\(\d+<.*parts\/[0-9a-f]{2}>/, renamed),
    at(/fsync\(\d+<.*staging>/, renamed),
  )
  const written = at(/pwrite64\(\d+<.*catalog\.sqlite-wal>/, placed)
  const committed = at(/f(data)?sync\(\d+<.*catalog\.sqlite-wal>/, written)
  at(/write[v]?\(\d+<(socket|TCP).*4F/, committed)
})

test('a small file is answered after the catalog is synced', { skip }, async () => {
  await using server = await startNodeProcess({
    trace: ['-y', '-e', 'trace=fsync,fdatasync,write,writev,pwrite64'],
  })
  await using client = await server.connect()
  const stored = newStoredFile()
  await client.request('ping', {})
  const from = traceOf(server.traceFile).length
  await store(client, server.alice, stored)
  await server.kill('SIGTERM')
  const calls = traceOf(server.traceFile).slice(from)
  const synced = calls.findIndex((line) => /f(data)?sync\(\d+<.*catalog\.sqlite-wal>/.test(line))
  const answered = calls.findIndex((line) => /write[v]?\(\d+<(socket|TCP).*4F/.test(line))
  assert.ok(synced >= 0 && synced < answered, calls.join('\n'))
})

test('where the disk does not sync, nothing is acknowledged and the upload is gone', {
  skip,
}, async () => {
  // Only data syncs of files fail; the catalog on this system uses them, too, so all writes are
  // refused.
  await using server = await startNodeProcess({ trace: ['-e', 'trace=fdatasync'] })
  const as = server.alice
  const kept = newStoredFile()
  {
    await using client = await server.connect()
    await store(client, as, kept)
    await commit(client, as, kept)
  }
  await server.kill('SIGTERM')
  const inject = 'inject=fdatasync,fsync:error=EIO:when=40+'
  await server.restart({ trace: ['-e', inject], env: { UV_THREADPOOL_SIZE: '1' } })
  await using client = await server.connect()
  let failure: { code?: string } | undefined
  const answered: ReturnType<typeof newStoredFile>[] = []
  for (let round = 0; round < 100 && failure === undefined; round++) {
    const stored = newStoredFile({ rows: 2, pieceBytes: 70_000 })
    await prepare(client, as, stored).then(
      () => answered.push(stored),
      (error) => {
        failure = error
      },
    )
  }
  assert.equal(failure?.code, 'DISK_FAILED')
  await client.request('ping', {})
  await server.kill('SIGKILL')
  await server.restart()
  await using after = await server.connect()
  for (const { file } of [kept, ...answered]) {
    const { header } = await after.request('lookup', { file, withParts: false }, { as })
    assert.equal(header.entries.length, 1)
  }
})

/** The finished system calls, in the order in which they ended. */
function traceOf(file: string): string[] {
  const begun = new Map<string, string>()
  return readFileSync(file, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
      const head = /^(.*) <unfinished \.\.\.>$/.exec(rest)?.[1]
      if (head !== undefined) begun.set(pid, head)
      const tail = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1]
      if (tail !== undefined) return [`${begun.get(pid)}${tail}`]
      return head === undefined && rest !== '' ? [rest] : []
    })
}
