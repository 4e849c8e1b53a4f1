// Every size through every face: what curl -F, curl -T and dfc put in comes back byte for byte,
// through all of them.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { ROW, seededBytes } from '../support/content.ts'
import { run } from '../support/run.ts'

const GIB = 1024 * ROW
const SIZES = [0, 1, 2, 3, 4, 5, ROW - 1, ROW, ROW + 1, 4 * ROW, 10 * ROW + 7, GIB]
const DFC = fileURLToPath(new URL('../../gateway/bin/dfc.js', import.meta.url))
const PASSWORD = 'alice-password'
const ENV = { DFC_USER: 'alice', DFC_PASSWORD: PASSWORD }

let cluster: TestCluster
let url: string

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser('alice', PASSWORD)
  url = cluster.urls[0]!
})

after(() => cluster[Symbol.asyncDispose]())

/** A file of `size` bytes that differ from row to row. */
async function makeFile(name: string, size: number): Promise<string> {
  const path = join(cluster.folder, name)
  await using file = await open(path, 'w')
  for (let at = 0; at < size; at += 64 * ROW) {
    await file.write(seededBytes(`${name} ${at}`, Math.min(64 * ROW, size - at)))
  }
  return path
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path)) hash.update(part as Buffer)
  return hash.digest('hex')
}

async function curl(...args: string[]): Promise<string> {
  const all = ['-sS', '--fail-with-body', '--max-time', '300', '-u', `alice:${PASSWORD}`, ...args]
  const result = await run('curl', all, { timeoutMs: 310_000 })
  assert.equal(result.code, 0, `curl ${args.join(' ')}: ${result.stdout}${result.stderr}`)
  return result.stdout
}

async function dfc(...args: string[]): Promise<string> {
  const result = await run(process.execPath, [DFC, cluster.dfcConfFile, ...args], {
    env: ENV,
    timeoutMs: 310_000,
  })
  assert.equal(result.code, 0, `dfc ${args.join(' ')}: ${result.stdout}${result.stderr}`)
  return result.stdout
}

const putBy = {
  'curl -F': (path: string, name: string) =>
    curl('-F', `file=@${path};filename=${name}`, `${url}/files`),
  'curl -T': (path: string, name: string) => curl('-T', path, `${url}/files/${name}`),
  dfc: (path: string, name: string) => dfc('put', path, '--as', name),
}

for (const size of SIZES) {
  for (const [face, put] of Object.entries(putBy)) {
    test(`${size} bytes put by ${face} come back by SHA-256`, async () => {
      const name = `${face.replace(' ', '')}-${size}`
      const source = await makeFile(`source-${name}`, size)
      const target = join(cluster.folder, `target-${name}`)
      await put(source, name)
      const expected = await sha256Of(source)
      await curl('-o', target, `${url}/files/${name}`)
      assert.equal((await stat(target)).size, size)
      assert.equal(await sha256Of(target), expected)
      await rm(target)
      await dfc('get', name, '-o', target)
      assert.equal(await sha256Of(target), expected)
      await Promise.all([rm(source), rm(target)])
      await curl('-X', 'DELETE', `${url}/files/${name}`)
    })
  }
}

test('standard input and output are files too', async () => {
  const source = await makeFile('piped', 3 * ROW + 1)
  const sent = await run(
    process.execPath,
    [DFC, cluster.dfcConfFile, 'put', '-', '--as', 'piped'],
    {
      env: ENV,
      stdinFile: source,
    },
  )
  assert.equal(sent.code, 0, sent.stderr)
  const target = join(cluster.folder, 'piped-back')
  const shell = `"$0" "$1" "$2" get piped -o - > "$3"`
  const got = await run('sh', ['-c', shell, process.execPath, DFC, cluster.dfcConfFile, target], {
    env: ENV,
  })
  assert.equal(got.code, 0, got.stderr)
  assert.equal(await sha256Of(target), await sha256Of(source))
  await dfc('delete', 'piped')
})

for (const name of [
  '😀.bin',
  'line\nbreak',
  '"quotes"',
  "it's",
  '100%2F',
  'with spaces',
  'é'.repeat(255),
  'a/b/c',
]) {
  test(`a file named ${JSON.stringify(name.slice(0, 12))} is the same file to all faces`, async () => {
    const source = await makeFile('named', 100)
    const path = name.split('/').map(encodeURIComponent).join('/')
    for (const put of [
      () => curl('-T', source, `${url}/files/${path}`),
      () =>
        curl(
          '-F',
          `file=@${source};filename="${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
          `${url}/files`,
        ),
      () => dfc('put', source, '--as', name),
    ]) {
      await put()
      const listed = JSON.parse(await curl(`${url}/files`)) as { files: { name: string }[] }
      assert.deepEqual(
        listed.files.map((file) => file.name),
        [name],
      )
      const target = join(cluster.folder, 'named-back')
      await curl('-o', target, `${url}/files/${path}`)
      assert.equal(await sha256Of(target), await sha256Of(source))
      await dfc('get', name, '-o', target, '--force')
      assert.equal(await sha256Of(target), await sha256Of(source))
      await curl('-X', 'DELETE', `${url}/files/${path}`)
    }
  })
}
