// One instant of one change of a file: something happens just then, all is put right again, and
// what every set of nodes that can be read from shows must agree with what the client was told.
import assert from 'node:assert/strict'
import { request } from 'undici'
import { basic } from '../gateway/http/client.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { ALL_NODES, type Arena, password } from './arena.ts'

export const SIZES = { small: 5000, large: 3 * ROW + 7 }
export const ABSENT = 'absent'

const LIMIT_MS = 30_000
const authorization = basic('ben', password('ben'))

export type Change = 'create' | 'overwrite' | 'delete' | 'move'

export interface Told {
  /** 0: the connection broke. */
  status: number
  code: string
  nodes: string[]
}

export interface InstantOptions {
  /** Of the file; each instant has its own. */
  name: string
  change: Change
  size: keyof typeof SIZES
  /** Called when the old file, if any, is stored; answers how all is put right again. */
  begin(): Promise<() => Promise<void>>
}

/** @throws AssertionError where a set of nodes shows what the client was not told */
export async function checkInstant(
  arena: Arena,
  { name, change, size, begin }: InstantOptions,
): Promise<{ told: Told; seen: string }> {
  const [old, fresh] = ['old', 'new'].map((seed) => seededBytes(name + seed, SIZES[size]))
  if (change !== 'create') assert.ok((await put(arena, name, old!)).status < 300)
  const mend = await begin()
  const told = await makeChange(arena, { name, change, fresh: fresh! }).finally(mend)
  await arena.whenSeen(ALL_NODES)
  const before = change === 'create' ? ABSENT : md5Hex(old!)
  const later = change === 'delete' || change === 'move' ? ABSENT : md5Hex(fresh!)
  const isOpen = told.status === 0 || told.code === 'OUTCOME_UNKNOWN'
  const must = told.status >= 300 ? before : later
  const seen: string[] = []
  // Either pair of opposite nodes alone, and then all: the same for each.
  for (const away of [[], [1, 3], [2, 4], []]) {
    const found = await whileAway(arena, away, name)
    seen.push(found === later ? 'new' : found === before ? 'old' : found)
    const may = isOpen ? [before, later] : [must]
    assert.ok(may.includes(found), `${told.status} ${told.code}, ${seen}`)
    if (change === 'move') await checkMoved(arena, away, { name, content: before, found })
  }
  assert.equal(new Set(seen).size, 1, `${told.status} ${told.code}, ${seen}`)
  return { told, seen: seen[0]! }
}

const movedName = (name: string) => `${name} moved`

/** The file has one of the two names, wherever one looks. */
async function checkMoved(
  arena: Arena,
  away: readonly number[],
  { name, content, found }: { name: string; content: string; found: string },
): Promise<void> {
  const moved = await whileAway(arena, away, movedName(name))
  if ((moved === content) !== (found === content)) return
  // Between the two looks the nodes may have decided.
  assert.notEqual(await whileAway(arena, away, name), found, `${name}: ${found} and ${moved}`)
}

function makeChange(
  arena: Arena,
  { name, change, fresh }: { name: string; change: Change; fresh: Buffer },
): Promise<Told> {
  if (change === 'delete') return ask(arena, 'DELETE', name)
  if (change === 'move') return ask(arena, 'MOVE', name)
  return put(arena, name, fresh)
}

export function put(arena: Arena, name: string, body: Buffer): Promise<Told> {
  return ask(arena, 'PUT', name, body)
}

/** What the second gateway reads while it cannot reach the nodes `away`. */
export async function whileAway(
  arena: Arena,
  away: readonly number[],
  name: string,
): Promise<string> {
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

/** Through the first gateway. */
export async function ask(
  arena: Arena,
  method: 'PUT' | 'DELETE' | 'MOVE',
  name: string,
  body?: Buffer,
): Promise<Told> {
  try {
    const { url } = arena.gateways[0]!
    const isMove = method === 'MOVE'
    const answer = await request(`${url}/files/${encodeURIComponent(name)}`, {
      method: isMove ? 'PATCH' : method,
      headers: { authorization, ...(isMove && { 'content-type': 'application/json' }) },
      headersTimeout: LIMIT_MS,
      ...(isMove && { body: JSON.stringify({ name: movedName(name) }) }),
      ...(body !== undefined && { body }),
    })
    const text = await answer.body.text()
    const problem = answer.statusCode < 300 ? undefined : JSON.parse(text)
    const { code = '', nodes = [] } = problem ?? {}
    return { status: answer.statusCode, code, nodes }
  } catch {
    return { status: 0, code: '', nodes: [] }
  }
}

/** How `op` stands in the header of a request: CBOR texts of fewer than 24 bytes. */
export function opBytes(op: string): Buffer {
  return Buffer.from(`bop${String.fromCharCode(0x60 + op.length)}${op}`, 'latin1')
}
