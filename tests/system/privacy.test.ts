// Promise 6: nothing that opens or names a file is on any disk, in any log, or on the wire to the
// nodes.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fetch } from 'undici'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { type Recorder, startRecorder } from '../support/recorder.ts'

const PASSWORD = 'correct-horse-battery-staple'
const SENTENCE = 'The treasure is buried under the third oak. '
const FILES = [
  { name: 'treasure-map.txt', content: SENTENCE },
  { name: 'secret folder/treasure-diary.md', content: SENTENCE.repeat(60_000) },
]
const TYPE = 'text/x-treasure'

let cluster: TestCluster
let recorders: Recorder[]
let url: string

before(async () => {
  cluster = await startCluster()
  recorders = await Promise.all(cluster.nodes.map(({ port }) => startRecorder(port)))
  const conf = await readFile(cluster.dfcConfFile, 'utf8')
  const addresses = recorders.map(({ port }) => `"127.0.0.1:${port}"`)
  const recorded = conf.replace(/^nodes = .*$/m, `nodes = [${addresses.join(', ')}]`)
  const confFile = join(cluster.folder, 'recorded.conf')
  await writeFile(confFile, recorded)
  await cluster.addUser('alice', PASSWORD)
  url = await cluster.startGateway(confFile)
  const authorization = `Basic ${Buffer.from(`alice:${PASSWORD}`).toString('base64')}`
  for (const { name, content } of FILES) {
    const target = `${url}/files/${name.split('/').map(encodeURIComponent).join('/')}`
    const headers = { authorization, 'content-type': TYPE }
    const put = await fetch(target, { method: 'PUT', headers, body: content })
    assert.equal(put.status, 201)
    const got = await fetch(target, { headers: { authorization } })
    assert.equal(await got.text(), content)
  }
  const listing = await fetch(`${url}/files`, { headers: { authorization } })
  assert.equal(((await listing.json()) as { files: unknown[] }).files.length, FILES.length)
  const wrong = `Basic ${Buffer.from('alice:another-password').toString('base64')}`
  assert.equal((await fetch(`${url}/files`, { headers: { authorization: wrong } })).status, 401)
})

after(async () => {
  await cluster[Symbol.asyncDispose]()
  for (const recorder of recorders) await recorder[Symbol.asyncDispose]()
})

/** Everything that must stay unseen, in each form in which it could be written down. */
function secrets(): [what: string, bytes: Buffer][] {
  const texts = [SENTENCE.trim(), 'treasure', 'secret folder', PASSWORD, 'another-password', TYPE]
  const all: [string, Buffer][] = texts.flatMap((text) => [
    [text, Buffer.from(text)],
    [`${text} in base64`, Buffer.from(Buffer.from(text).toString('base64').slice(0, -4))],
    [`${text} in UTF-16`, Buffer.from(text, 'utf16le')],
  ])
  for (const { name, content } of FILES) {
    const md5 = createHash('md5').update(content).digest()
    all.push([`MD5 of ${name}`, md5], [`MD5 of ${name} in hex`, Buffer.from(md5.toString('hex'))])
    all.push([`MD5 of ${name} in base64`, Buffer.from(md5.toString('base64'))])
  }
  return all
}

function expectNoSecretIn(bytes: Buffer, where: string): void {
  for (const [what, secret] of secrets()) {
    assert.equal(bytes.indexOf(secret), -1, `${what} is in ${where}`)
  }
}

test('no file under the data folders holds content, names, types, MD5s or passwords', async () => {
  const entries = await readdir(cluster.folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  assert.ok(files.length > 10)
  for (const entry of files) {
    const path = join(entry.parentPath, entry.name)
    expectNoSecretIn(await readFile(path), path)
    expectNoSecretIn(Buffer.from(path), 'a path')
  }
})

test('what nodes and gateway keep can be read by their own user only', async () => {
  const folders = [1, 2, 3, 4].map((number) => join(cluster.folder, `DFS${number}`))
  for (const folder of [...folders, join(cluster.folder, 'gateway-0')]) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name)
      const { mode } = await stat(path)
      assert.equal(mode & 0o077, 0, `${path} has mode ${mode.toString(8)}`)
    }
  }
})

test('what crosses the sockets to the nodes holds none of it', () => {
  const bytes = Buffer.concat(recorders.map((recorder) => recorder.bytes()))
  const contentBytes = FILES.reduce((sum, { content }) => sum + content.length, 0)
  assert.ok(bytes.length > contentBytes * 2, 'the recorders saw the uploads')
  expectNoSecretIn(bytes, 'the recorded bytes')
})

test('no process writes any of it to its log', () => {
  const processes = [...cluster.gateways, ...cluster.nodes.map((node) => node.process)]
  for (const { output } of processes) expectNoSecretIn(Buffer.from(output()), 'a log')
})
