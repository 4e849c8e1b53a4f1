// Where the parts of two hundred random files lie: what each node's catalog and folder hold, read
// from outside after the nodes have stopped, is what the MD5 table of the design says.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { fileIdOf } from '../../gateway/dfs/keys.ts'
import { call } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { below, type Random, randomOf, seedFor } from '../support/random.ts'
import { inParallel } from '../support/watching.ts'

/** The parts that DFS1..DFS4 hold, lower number first, when MD5 mod 4 is the row's number. */
const TABLE = [
  ['1,2', '2,3', '3,4', '1,4'],
  ['1,4', '1,2', '2,3', '3,4'],
  ['3,4', '1,4', '1,2', '2,3'],
  ['2,3', '3,4', '1,4', '1,2'],
]
const FILE_COUNT = 200
const TAG_BYTES = 16
const CRC_BYTES = 4

interface StoredFile {
  name: string
  bytes: Buffer
  /** MD5 mod 4. */
  x: number
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of ?describe
  described: any
}

/** One part of a version on one node: its pieces, each followed by its CRC-32. */
type HeldParts = Map<number, Buffer>

let cluster: TestCluster

before(async () => {
  cluster = await startCluster({ gateways: 1 })
  await cluster.addUser('alice', 'correct horse')
})

after(() => cluster[Symbol.asyncDispose]())

test('the parts of 200 random files lie where the MD5 table says, twice and alike', async (t) => {
  const random = randomOf(seedFor(t))
  const files = Array.from({ length: FILE_COUNT }, (_, index) => newFile(index, random))
  await inParallel(files, 8, putAndDescribe)
  const fileIds = await idsOf(files)
  for (const node of cluster.nodes) await node.kill('SIGTERM')
  const held = cluster.nodes.map(({ folder }) => readNode(folder))

  for (const [at, file] of files.entries()) {
    const onNodes = held.map((byFile) => byFile.get(fileIds[at]!) ?? new Map())
    checkFile(file, onNodes)
  }
  for (const [index, { folder }] of cluster.nodes.entries()) {
    const partCount = [...held[index]!.values()].reduce((sum, parts) => sum + parts.size, 0)
    assert.equal(held[index]!.size, FILE_COUNT, `${folder} has entries of other files`)
    assert.equal(partCount, FILE_COUNT * 2)
    assert.deepEqual(readdirSync(join(folder, 'staging')), [])
  }
  const rotations = [0, 1, 2, 3].map((x) => files.filter((file) => file.x === x).length)
  const large = files.filter(({ bytes }) => bytes.length > ROW).length
  t.diagnostic(`files by MD5 mod 4: ${rotations}; of several rows: ${large}`)
  assert.ok(rotations.every((count) => count > 0))
})

/** Many small files, some just around the sizes where something changes, some of several rows. */
function newFile(index: number, random: Random): StoredFile {
  const kind = random()
  const edges = [0, 1, 2, 3, 4, 5, 262_128, 262_129, ROW - 1, ROW, ROW + 1, 2 * ROW]
  const size =
    kind < 0.1
      ? edges[below(edges.length, random)]!
      : kind < 0.75
        ? Math.floor(2 ** (random() * 17))
        : kind < 0.92
          ? below(ROW, random)
          : ROW + below(3 * ROW, random)
  const bytes = seededBytes(`placement ${random()}`, size)
  const x = Number(BigInt(`0x${md5Hex(bytes)}`) % 4n)
  return { name: `file ${index}`, bytes, x, described: undefined }
}

async function putAndDescribe(file: StoredFile): Promise<void> {
  const target = `${cluster.urls[0]}/files/${encodeURIComponent(file.name)}`
  const put = await call(target, { method: 'PUT', body: file.bytes })
  assert.equal(put.status, 201)
  const answer = await call(`${target}?describe`)
  assert.equal(answer.status, 200)
  file.described = answer.json
}

/** What the nodes know the files by, in hex. */
async function idsOf(files: readonly StoredFile[]): Promise<string[]> {
  const store = await cluster.store()
  const credentials = { user: 'alice', password: 'correct horse', address: 'test' }
  const { nameKey } = await store.signIn(credentials)
  return files.map(({ name }) => fileIdOf(nameKey, name).toString('hex'))
}

/** All committed versions of a stopped node: by file id, the parts with their bytes. */
function readNode(folder: string): Map<string, HeldParts> {
  const database = new DatabaseSync(join(folder, 'catalog.sqlite'), { readOnly: true })
  const entries = database.prepare('SELECT * FROM entries').all()
  const partsOf = database.prepare('SELECT * FROM parts WHERE id BETWEEN ? AND ? ORDER BY id')
  const files = new Map<string, HeldParts>()
  for (const { id, file, state, parts, key } of entries) {
    assert.equal(state, 1, 'every entry is committed')
    const held: HeldParts = new Map()
    for (const row of partsOf.all(Number(id) * 4, Number(id) * 4 + 3)) {
      const part = Number(row.id) - Number(id) * 4 + 1
      assert.ok(Number(parts) & (1 << (part - 1)), 'the mask of the entry names the part')
      const bytes = key === null ? Buffer.from(row.data as Uint8Array) : readPart(part)
      const rowCount = (bytes.length - Number(row.bytes)) / CRC_BYTES
      checkSums(bytes, { rowCount, pieceBytes: Number(row.piece_bytes) })
      held.set(part, bytes)
    }
    files.set(Buffer.from(file as Uint8Array).toString('hex'), held)

    function readPart(part: number): Buffer {
      const name = Buffer.from(key as Uint8Array).toString('hex')
      return readFileSync(join(folder, 'parts', name.slice(0, 2), `${name}.part${part}`))
    }
  }
  database.close()
  checkNoOtherPartFiles(folder, entries)
  return files
}

function checkNoOtherPartFiles(folder: string, entries: readonly Record<string, unknown>[]): void {
  const expected = entries.flatMap(({ key, parts }) => {
    if (key === null) return []
    const name = Buffer.from(key as Uint8Array).toString('hex')
    const numbers = [1, 2, 3, 4].filter((part) => Number(parts) & (1 << (part - 1)))
    return numbers.map((part) => join(name.slice(0, 2), `${name}.part${part}`))
  })
  const found = readdirSync(join(folder, 'parts'), { recursive: true }).map(String)
  assert.deepEqual(found.filter((path) => path.includes('.')).sort(), expected.sort())
}

/** Each piece is followed by its CRC-32, big-endian. */
function checkSums(bytes: Buffer, shape: { rowCount: number; pieceBytes: number }): void {
  for (let row = 0; row < shape.rowCount; row++) {
    const from = row * (shape.pieceBytes + CRC_BYTES)
    const to = Math.min(from + shape.pieceBytes, bytes.length - CRC_BYTES)
    assert.equal(crc32(bytes.subarray(from, to)), bytes.readUInt32BE(to))
  }
}

function checkFile(file: StoredFile, onNodes: readonly HeldParts[]): void {
  const { bytes, x, described } = file
  const what = `${file.name} of ${bytes.length} bytes, MD5 mod 4 is ${x}`
  const rows = Math.max(1, Math.ceil(bytes.length / ROW))
  const firstRow = createHash('md5').update(bytes.subarray(0, ROW)).digest()
  assert.equal(described.x, x, what)
  assert.equal(described.rows, rows, what)
  assert.equal(described.first, firstRow[15]! % 4, what)
  for (const [node, parts] of onNodes.entries()) {
    assert.equal([...parts.keys()].join(), TABLE[x]![node], `DFS${node + 1}: ${what}`)
  }
  const partBytes = [1, 2, 3, 4].map((part) => {
    const owners = [0, 1, 2, 3].filter((node) => onNodes[node]!.has(part))
    const [one, other] = owners.map((node) => onNodes[node]!.get(part)!)
    assert.ok(one!.equals(other!), `the copies of part ${part} are the same: ${what}`)
    const said = described.parts.find((each: { part: number }) => each.part === part)
    assert.equal(said.size, one!.length - rows * CRC_BYTES, what)
    const copies = said.nodes.map(({ node }: { node: string }) => node).sort()
    const names = owners.map((node) => `DFS${node + 1}`)
    assert.deepEqual(copies, names, what)
    assert.ok(said.nodes.every(({ here }: { here: boolean }) => here))
    return said.size as number
  })
  const sum = partBytes.reduce((total, size) => total + size, 0)
  assert.equal(sum, bytes.length + rows * TAG_BYTES, `four parts make the sealed file: ${what}`)
  // Full rows are cut evenly; only the last one can leave its first lanes one byte longer.
  assert.ok(Math.max(...partBytes) - Math.min(...partBytes) <= 1, `${partBytes}: ${what}`)
}
