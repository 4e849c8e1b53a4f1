// What four stopped nodes have on their disks, compared: the same entries of the same versions,
// nothing undecided, every part where it belongs, both copies the same to the byte, and nothing
// that nobody names. Reads folders as storage-node/README.md tells them; runs no code of a node.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { partsOfNode } from '@fourfold/storage-node/protocol'
import { partFiles } from './arena.ts'

const CRC_BYTES = 4
const COMMITTED = 1

interface EntryRow {
  id: number
  user: string
  file: Uint8Array
  version: Uint8Array
  state: number
  x: number
  first: number
  rows: number
  parts: number
  key: Uint8Array | null
  sealed: Uint8Array
}

interface PartRow {
  bytes: number
  piece_bytes: number
  data: Uint8Array | null
}

/** One committed file as a node has it: its entry, and a hash of each part that is whole. */
interface Held {
  /** What must be the same on all nodes. */
  entry: string
  expectedParts: readonly number[]
  parts: Map<number, string>
}

/** Answers what is wrong, a sentence each. */
export function audit(folders: readonly string[]): string[] {
  const faults: string[] = []
  const nodes = folders.map((folder, index) => {
    return readNode(folder, index + 1, (fault) => void faults.push(`DFS${index + 1}: ${fault}`))
  })
  const names = new Set(nodes.flatMap((files) => [...files.keys()]))
  for (const name of names) {
    const copies = new Map<number, string>()
    const entries = new Set(nodes.flatMap((files) => files.get(name)?.entry ?? []))
    if (entries.size > 1) faults.push(`the nodes' entries of ${name} differ`)
    for (const [index, files] of nodes.entries()) {
      const held = files.get(name)
      if (held === undefined) {
        faults.push(`DFS${index + 1} does not know ${name}`)
        continue
      }
      for (const part of held.expectedParts) {
        const hash = held.parts.get(part)
        if (hash === undefined) continue
        const twin = copies.get(part)
        if (twin !== undefined && twin !== hash) faults.push(`part ${part} of ${name} differs`)
        copies.set(part, hash)
      }
    }
  }
  return faults
}

type Say = (fault: string) => void

function readNode(folder: string, number: number, say: Say): Map<string, Held> {
  const files = new Map<string, Held>()
  const named = new Set<string>()
  const database = new DatabaseSync(join(folder, 'catalog.sqlite'))
  try {
    const parts = database.prepare('SELECT bytes, piece_bytes, data FROM parts WHERE id = ?')
    for (const row of database.prepare('SELECT * FROM entries').iterate()) {
      const entry = row as unknown as EntryRow
      const name = `${entry.user} ${hex(entry.file)} ${hex(entry.version)}`
      if (entry.state === 0) say(`${name} is undecided`)
      if (entry.state !== COMMITTED) continue
      const expectedParts = partsOfNode(number - 1, entry.x)
      const held: Held = { entry: entryText(entry), expectedParts, parts: new Map() }
      files.set(name, held)
      for (const part of expectedParts) {
        const what = `part ${part} of ${name}`
        const stored = parts.get(entry.id * 4 + part - 1) as unknown as PartRow | undefined
        if (stored === undefined || (entry.parts & (1 << (part - 1))) === 0) {
          say(`${what} is not held`)
          continue
        }
        const path = join(folder, 'parts', hex(entry.key ?? Buffer.of(0)).slice(0, 2))
        const file = join(path, `${hex(entry.key ?? Buffer.of(0))}.part${part}`)
        if (stored.data === null) named.add(file)
        const bytes = stored.data ?? read(file)
        if (bytes === undefined) say(`the file of ${what} is gone`)
        else if (!isSound(bytes, stored, entry.rows)) say(`${what} is damaged`)
        else held.parts.set(part, createHash('sha256').update(bytes).digest('hex'))
      }
    }
  } finally {
    database.close()
  }
  for (const file of partFiles(folder)) {
    if (!named.has(file)) say(`nobody names ${file}`)
  }
  for (const name of readdirSync(join(folder, 'staging'))) say(`${name} is still staged`)
  for (const name of readdirSync(join(folder, 'repair'))) say(`${name} is still being repaired`)
  return files
}

function entryText({ x, first, rows, sealed }: EntryRow): string {
  return `${x} ${first} ${rows} ${hex(sealed)}`
}

/** Whether the bytes are whole pieces, each followed by its CRC-32. */
function isSound(bytes: Uint8Array, part: PartRow, rows: number): boolean {
  if (bytes.length !== part.bytes + rows * CRC_BYTES) return false
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const stride = part.piece_bytes + CRC_BYTES
  for (let at = 0; at < view.length; at += stride) {
    const end = Math.min(at + stride, view.length) - CRC_BYTES
    if (crc32(view.subarray(at, end)) !== view.readUInt32BE(end)) return false
  }
  return true
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
