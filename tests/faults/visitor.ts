// One operation of a plan over HTTP, and what its answer means: told to the model, or an error
// where no honest store would answer so. Knows which troubles excuse what; causes none.
import { setTimeout as wait } from 'node:timers/promises'
import { Agent, type Dispatcher, request } from 'undici'
import { basic } from '../gateway/http/client.ts'
import { md5Hex, seededBytes } from '../support/content.ts'
import { password, type TestGateway } from './arena.ts'
import { ABSENT, type Model, type Value } from './model.ts'
import type { Operation } from './plan.ts'

const SLICES = 8

/** What may go wrong now and be nobody's fault. */
export interface Excuse {
  /** A node is in trouble: uploads may fail. */
  isTroubled: boolean
  /** Two neighbours are: files may be out of reach. */
  isInsufficient: boolean
  /** This gateway may die. */
  isGatewayDying: boolean
}

export interface Visit {
  gateways: readonly TestGateway[]
  model: Model
  /** What was ever sent, by MD5. */
  contents: Map<Value, { content: string; sizeBytes: number }>
  /** Beyond this a request hangs. */
  limitMs: number
  excuse(gateway: number, startMs: number): Excuse
  count(what: string): void
}

interface Reply {
  status: number
  code: string
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

type Outcome = { reply: Reply; broken?: undefined } | { broken: Error; reply?: undefined }

const agent = new Agent({ connections: 64, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })

/** @throws Error where the answer breaks a promise */
export async function perform(visit: Visit, operation: Operation): Promise<void> {
  switch (operation.kind) {
    case 'put':
      return put(visit, operation)
    case 'get':
      return get(visit, operation)
    case 'list':
      return list(visit, operation)
    case 'delete':
      return remove(visit, operation)
  }
}

type Of<K extends Operation['kind']> = Extract<Operation, { kind: K }>

async function put(visit: Visit, operation: Of<'put'>): Promise<void> {
  const { model } = visit
  const { content, sizeBytes, condition, hasLength, paceMs, isBrokenOff = false } = operation
  const startMs = performance.now()
  const name = keyOf(operation)
  const bytes = seededBytes(content, sizeBytes)
  const value = md5Hex(bytes)
  visit.contents.set(value, { content, sizeBytes })
  const headers: Record<string, string> = {}
  const expected = [...model.allowed(name, startMs)].filter((known) => known !== ABSENT)
  if (condition === 'absent') headers['if-none-match'] = '*'
  else if (condition === 'match') headers['if-match'] = `"${expected[0] ?? 'none'}"`
  if (hasLength) headers['content-length'] = String(sizeBytes)
  const what = describe(operation)
  const isCreation = condition === 'absent'
  const write = model.begin(name, { value, what, isCreation })
  const source = slices(bytes, paceMs ?? 0, isBrokenOff)
  const body = paceMs === undefined && !isBrokenOff ? bytes : source
  const { reply, broken } = await send(visit, operation, { method: 'PUT', headers, body })
  const excuse = visit.excuse(operation.gateway, startMs)
  if (broken !== undefined) {
    model.end(name, write, 'unknown')
    model.failed(name)
    requireExcuse(isBrokenOff || excuse.isGatewayDying, what, broken)
    return
  }
  const { status, code } = reply
  if (status === 201 || status === 200) {
    model.end(name, write, 'acknowledged')
    return
  }
  if (status === 412) {
    judgeRefusal(visit, operation, { expected: expected[0], startMs, reply })
    model.end(name, write, 'refused')
    return
  }
  model.end(name, write, code === 'OUTCOME_UNKNOWN' ? 'unknown' : 'refused')
  model.failed(name)
  if (isBrokenOff && status === 400) return
  requireExcuse(excuse.isTroubled || excuse.isGatewayDying, what, reply)
}

/** A condition may fail where it does not hold, or where another write is or was under way. */
function judgeRefusal(
  visit: Visit,
  operation: Of<'put'>,
  { expected, startMs, reply }: { expected: Value | undefined; startMs: number; reply: Reply },
): void {
  const name = keyOf(operation)
  const { condition } = operation
  const isMet = condition === 'absent' ? ABSENT : (expected ?? 'none')
  const seen = visit.model.allowed(name, startMs)
  // Its own value is among them, for it could have been stored.
  if (condition !== undefined && (seen.size > 2 || !seen.has(isMet))) return
  const isContested = condition !== undefined && visit.model.isContested(name, startMs)
  requireExcuse(isContested, describe(operation), reply)
  visit.count('condition refused for the sake of a write that came to nothing')
}

async function get(visit: Visit, operation: Of<'get'>): Promise<void> {
  const { range, paceMs } = operation
  const startMs = performance.now()
  const headers: Record<string, string> = {}
  if (range !== undefined) headers.range = `bytes=${range.from}-${range.from + range.length - 1}`
  const outcome = await send(visit, operation, {
    method: 'GET',
    headers,
    ...(paceMs && { paceMs }),
  })
  judgeGet(visit, operation, { outcome, startMs, what: describe(operation) })
}

function judgeGet(
  visit: Visit,
  operation: Of<'get'>,
  { outcome, startMs, what }: { outcome: Outcome; startMs: number; what: string },
): void {
  const { reply, broken } = outcome
  const name = keyOf(operation)
  const excuse = visit.excuse(operation.gateway, startMs)
  if (broken !== undefined) {
    // A version that is replaced while it is read may break off, visibly.
    const isReplaced = visit.model.allowed(name, startMs).size > 1
    requireExcuse(excuse.isGatewayDying || excuse.isInsufficient || isReplaced, what, broken)
    return
  }
  const { status, headers, body } = reply
  if (status === 404) {
    visit.model.saw(name, { value: ABSENT, startMs, what })
    return
  }
  if (status !== 200 && status !== 206 && status !== 416) {
    requireExcuse(excuse.isInsufficient || excuse.isGatewayDying, what, reply)
    return
  }
  if (status === 416) return
  const value = String(headers.etag).replaceAll('"', '')
  const sent = visit.contents.get(value)
  if (sent === undefined) throw new Error(`${what}: nobody ever sent ${value}`)
  const bytes = seededBytes(sent.content, sent.sizeBytes)
  const right =
    status === 200 ? bytes : bytes.subarray(...rangeOf(String(headers['content-range'])))
  if (!right.equals(body)) throw new Error(`${what}: ${body.length} wrong bytes of ${value}`)
  visit.model.saw(name, { value, startMs, what })
}

interface Listed {
  name: string
  md5: string
  size: number
  state: string
}

async function list(visit: Visit, operation: Of<'list'>): Promise<void> {
  const files = await listing(visit, operation)
  if (files === undefined) return
}

/** What a listing says, told to the model; undefined where none came, and may not have. */
export async function listing(visit: Visit, operation: Of<'list'>): Promise<Listed[] | undefined> {
  const { user, prefix } = operation
  const startMs = performance.now()
  const what = describe(operation)
  const known = visit.model.names().filter((key) => key.startsWith(`${user}:${prefix}`))
  const { reply, broken } = await send(visit, operation, { method: 'GET' })
  const excuse = visit.excuse(operation.gateway, startMs)
  if (broken !== undefined || reply.status !== 200) {
    const isExcused = excuse.isGatewayDying || excuse.isInsufficient
    requireExcuse(isExcused, what, broken ?? reply)
    return undefined
  }
  const { files } = JSON.parse(reply.body.toString()) as { files: Listed[] }
  for (const { name, md5, size } of files) {
    const sent = visit.contents.get(md5)
    if (sent?.sizeBytes !== size) throw new Error(`${what}: ${name} has ${size} bytes, MD5 ${md5}`)
    visit.model.saw(`${user}:${name}`, { value: md5, startMs, what })
  }
  const listed = new Set(files.map(({ name }) => `${user}:${name}`))
  for (const key of known) {
    if (!listed.has(key)) visit.model.saw(key, { value: ABSENT, startMs, what })
  }
  return files
}

async function remove(visit: Visit, operation: Of<'delete'>): Promise<void> {
  const { model } = visit
  const name = keyOf(operation)
  const startMs = performance.now()
  const what = describe(operation)
  const [expected = 'none'] = [...model.allowed(name, startMs)].filter((one) => one !== ABSENT)
  const headers: Record<string, string> = {}
  if (operation.condition === 'match') headers['if-match'] = `"${expected}"`
  const write = model.begin(name, { value: ABSENT, what })
  const { reply, broken } = await send(visit, operation, { method: 'DELETE', headers })
  const excuse = visit.excuse(operation.gateway, startMs)
  if (broken !== undefined) {
    model.end(name, write, 'unknown')
    requireExcuse(excuse.isGatewayDying, what, broken)
    return
  }
  const { status, code } = reply
  if (status === 204) {
    model.end(name, write, 'acknowledged')
    return
  }
  const isOpen = code === 'OUTCOME_UNKNOWN' || code.startsWith('NODE_')
  model.end(name, write, isOpen ? 'unknown' : 'refused')
  if (status === 404) {
    model.saw(name, { value: ABSENT, startMs, what })
    return
  }
  if (status === 412 && operation.condition !== undefined) {
    const seen = model.allowed(name, startMs)
    if (seen.size > 1 || !seen.has(expected)) return
  }
  model.failed(name)
  requireExcuse(excuse.isTroubled || excuse.isGatewayDying, what, reply)
}

interface Sending {
  method: Dispatcher.HttpMethod
  headers?: Record<string, string>
  body?: Buffer | AsyncIterable<Buffer>
  paceMs?: number
}

async function send(visit: Visit, operation: Operation, sending: Sending): Promise<Outcome> {
  const { method, headers = {}, body, paceMs = 0 } = sending
  const { user, gateway } = operation
  const authorization = basic(user, password(user))
  const signal = AbortSignal.timeout(visit.limitMs)
  const startMs = performance.now()
  try {
    const answer = await request(`${visit.gateways[gateway]!.url}${pathOf(operation)}`, {
      method,
      headers: { authorization, ...headers },
      dispatcher: agent,
      signal,
      ...(body !== undefined && { body: body as Buffer }),
    })
    const parts: Buffer[] = []
    for await (const part of answer.body) {
      parts.push(part)
      if (paceMs > 0 && parts.length % 8 === 0) await wait(paceMs / SLICES)
    }
    const bytes = Buffer.concat(parts)
    const isProblem = /problem\+json/.test(String(answer.headers['content-type']))
    const code = isProblem ? String(JSON.parse(bytes.toString()).code) : ''
    const reply = { status: answer.statusCode, headers: answer.headers, body: bytes, code }
    visit.count(`${operation.kind} ${reply.status} ${code}`)
    const isNameless = reply.status >= 400 && code === ''
    if (reply.status === 500 || code === 'INTERNAL' || isNameless)
      throw new Fault(describe(operation), reply)
    return { reply }
  } catch (error) {
    if (error instanceof Fault) throw error
    const tookMs = performance.now() - startMs
    if (signal.aborted) throw new Error(`${describe(operation)}: no end after ${tookMs} ms`)
    visit.count(`${operation.kind} broken`)
    return { broken: error as Error }
  }
}

class Fault extends Error {
  constructor(what: string, reply: Reply) {
    super(`${what}: ${reply.status} ${reply.body.toString().slice(0, 500)}`)
  }
}

function requireExcuse(isExcused: boolean, what: string, answer: Reply | Error): void {
  if (isExcused) return
  if (!(answer instanceof Error)) throw new Fault(what, answer)
  const { cause } = answer as { cause?: Error }
  throw new Error(`${what}: broke off: ${answer.message} ${cause?.message ?? ''}`)
}

/** The body bit by bit, so that what happens meanwhile happens in its middle. */
async function* slices(bytes: Buffer, paceMs: number, isBrokenOff: boolean) {
  const length = Math.max(1, Math.ceil(bytes.length / SLICES))
  for (let at = 0, index = 0; at < bytes.length; at += length, index++) {
    if (isBrokenOff && index === SLICES / 2) throw new Error('the client leaves')
    yield bytes.subarray(at, at + length)
    if (paceMs > 0) await wait(paceMs / SLICES)
  }
  if (isBrokenOff) throw new Error('the client leaves')
}

function pathOf(operation: Operation): string {
  if (operation.kind === 'list') {
    return `/files?limit=1000&prefix=${encodeURIComponent(operation.prefix)}`
  }
  return `/files/${operation.name.split('/').map(encodeURIComponent).join('/')}`
}

function keyOf({ user, name }: { user: string; name: string }): string {
  return `${user}:${name}`
}

function describe(operation: Operation): string {
  return JSON.stringify(operation)
}

/** `[from, end)` of a Content-Range. */
function rangeOf(header: string): [number, number] {
  const match = /^bytes (\d+)-(\d+)\//.exec(header)
  return [Number(match?.[1]), Number(match?.[2]) + 1]
}
