// Every message: a sample that is right passes, and with any field missing, of another kind, out of
// its range or unknown it is refused with a sentence that names the field.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  checkMessage,
  checkRequest,
  checkResponse,
  commands,
  DfsError,
  decodeStrict,
  ErrorMessage,
  encodeHeader,
  Greeting,
  type Op,
} from '@fourfold/storage-node/protocol'

type Fields = Record<string, unknown>

const id = Buffer.alloc(16, 1)
const body = [
  [3, 7],
  [2, 0xffff_ffff],
]
const account = {
  user: 'alice',
  change: 1,
  salt: id,
  rounds: 600_000,
  storedKeys: [1, 2, 3, 4].map((fill) => Buffer.alloc(32, fill)),
  wrappedKey: Buffer.alloc(60, 3),
}
const entry = {
  ...{ file: id, version: id, state: 'committed', x: 3, first: 0 },
  ...{ rows: 1, parts: 9, sealed: Buffer.alloc(100) },
}
const lane = { bytes: 262_148, checksum: 0xffff_ffff }
const pass = { pieces: 1, bytes: 1, damaged: 1, mended: 1, lost: 1 }
const status = {
  ...{ timeMs: 2, startedMs: 1, users: 1, files: 1, storedBytes: 1, freeBytes: 1 },
  ...{ reserveBytes: 1, diskBytes: 1, connections: 1, receivedBytes: 1, sentBytes: 1 },
  ...{ pieceBytesReceived: 1, pieceBytesSent: 1, undecided: 1 },
  repair: {
    ...{ peers: 3, isCurrent: true, isRunning: false, missingParts: 1 },
    ...{ failedParts: 1, lostParts: 1, doneParts: 1, doneBytes: 1, leftBytes: 1 },
    ...{ leftMs: 1, startedMs: 1, finishedMs: 1, copiedBytes: 1 },
  },
  scrub: {
    ...{ isRunning: true, isHurried: false, startedMs: 1, ...pass, totalBytes: 1, leftMs: 1 },
    last: { startedMs: 1, finishedMs: 1, ...pass },
  },
}
const file = { file: id, version: id }
const sealed = Buffer.alloc(200)
const kept = {
  ...{ first: 1, takes: 2, expires: 7, done: false },
  points: [{ number: 2, rows: 1, sealed, tail: true }],
}

/** Of each command a request and a response with every field that it may have. */
const samples: Record<Op, { request: Fields; response: Fields; optional?: string[] }> = {
  ping: { request: {}, response: { timeMs: 1, isFull: false } },
  salt: { request: { user: 'alice' }, response: { salt: id, rounds: 4096 } },
  account: { request: {}, response: { account } },
  'account-prepare': { request: { account }, response: {} },
  'account-commit': { request: { change: 1 }, response: {} },
  'account-abort': { request: { change: 1 }, response: {} },
  'account-remove': { request: {}, response: { existed: true } },
  'account-list': { request: { after: '' }, response: { users: ['alice', 'bob'], more: false } },
  lookup: {
    request: { file: id, withParts: true },
    response: { entries: [entry], parts: [1, 4], body },
    optional: ['body'],
  },
  digest: { request: {}, response: { digest: 2 ** 53 - 1, next: 7 } },
  changes: {
    request: { since: 0, limit: 4096, brief: true },
    response: { next: 5, more: false, collected: 0, body },
    optional: ['body'],
  },
  read: {
    request: { ...file, part: 4, from: 0, to: 1 },
    response: { row: 0, more: true, body },
    optional: ['body'],
  },
  open: { request: { upload: id, first: 0, size: 0 }, response: {}, optional: ['size'] },
  append: { request: { upload: id, row: 0, body }, response: {}, optional: ['body'] },
  staged: { request: { upload: id }, response: { rows: 0 } },
  prepare: {
    request: { upload: id, ...file, x: 3, rows: 1, lanes: [lane, lane], sealed, condition: id },
    response: { replaced: false },
    optional: ['condition'],
  },
  store: {
    request: { ...file, x: 0, sealed, condition: null, body },
    response: { replaced: true },
    optional: ['condition', 'body'],
  },
  move: {
    request: { ...file, source: id, sourceVersion: id, sealed, condition: null },
    response: { replaced: true },
    optional: ['condition'],
  },
  commit: { request: file, response: {} },
  'keep-open': {
    request: { upload: id, first: 3, size: 5, expires: 7, sealed, done: false },
    response: {},
    optional: ['size'],
  },
  'keep-look': { request: { upload: id }, response: kept },
  'keep-list': {
    request: { after: id },
    response: { more: false, body },
    optional: ['body'],
  },
  'keep-take': { request: { upload: id, as: id }, response: kept },
  'keep-resume': {
    request: { upload: id, number: 2 },
    response: { body },
    optional: ['body'],
  },
  'keep-point': {
    request: { upload: id, number: 3, rows: 1, expires: 7, sealed, body },
    response: {},
    optional: ['body'],
  },
  'keep-done': { request: { upload: id, sealed }, response: {} },
  'abort-upload': { request: { upload: id }, response: {} },
  'abort-version': { request: file, response: {} },
  delete: {
    request: { ...file, condition: id },
    response: { existed: true },
    optional: ['condition'],
  },
  status: { request: {}, response: status },
  scrub: { request: {}, response: {} },
  'peer-prove': {
    request: { challenge: Buffer.alloc(32) },
    response: { proof: Buffer.alloc(32) },
  },
  'peer-known': {
    request: { node: 1, epoch: Buffer.alloc(16) },
    response: { accounts: 1, entries: 2, lastAccount: 3, lastEntry: 4 },
  },
  'peer-accounts': {
    request: { since: 0, limit: 1000 },
    response: { next: 5, more: false, body },
    optional: ['body'],
  },
  'peer-changes': {
    request: { since: 0, limit: 1 },
    response: { next: 5, more: true, body },
    optional: ['body'],
  },
  'peer-entry': { request: { ...file, decide: true }, response: { standing: 'prepared' } },
  'peer-part': {
    request: { ...file, part: 1 },
    response: { rows: 1, bytes: 3, pieceBytes: 3, checksum: 0xffff_ffff, body },
    optional: ['body'],
  },
}

for (const op of Object.keys(commands) as Op[]) {
  const { request, response, optional = [] } = samples[op]
  const asRequest = (fields: Fields) => checkRequest({ op, ...fields })
  const asResponse = (fields: Fields) => checkResponse(op, fields)

  test(`${op}: what is right passes, also over the wire and without what may be absent`, () => {
    for (const [sample, check] of [
      [request, asRequest],
      [response, asResponse],
    ] as const) {
      check(sample)
      check(decodeStrict(encodeHeader(sample)) as Fields)
      const least = Object.entries(sample).filter(([name]) => !optional.includes(name))
      check(Object.fromEntries(least))
    }
  })

  test(`${op}: a field that is missing, wrong or unknown is named`, () => {
    for (const [sample, check] of [
      [request, asRequest],
      [response, asResponse],
    ] as const) {
      for (const name of Object.keys(sample)) {
        const { [name]: _, ...without } = sample
        if (!optional.includes(name)) refuses(() => check(without), name)
        for (const wrong of [{ wrong: 1 }, -1, 1.5, undefined]) {
          const isAbsent = wrong === undefined && optional.includes(name)
          if (!isAbsent) refuses(() => check({ ...sample, [name]: wrong }), name)
        }
      }
      refuses(() => check({ ...sample, surplus: 1 }), 'surplus')
    }
  })
}

/** Values just outside what the specification says, of one field each. */
const outside: [op: Op, field: string, value: unknown][] = [
  ['salt', 'user', ''],
  ['salt', 'user', 'x'.repeat(256)],
  ['account-commit', 'change', 2 ** 53],
  ['lookup', 'file', Buffer.alloc(15)],
  ['lookup', 'file', Buffer.alloc(17)],
  ['lookup', 'file', 'x'.repeat(16)],
  ['lookup', 'withParts', 1],
  ['changes', 'limit', 0],
  ['changes', 'limit', 4097],
  ['read', 'part', 0],
  ['read', 'part', 5],
  ['read', 'from', 2 ** 40],
  ['read', 'to', 0],
  ['open', 'first', 4],
  ['append', 'body', []],
  ['append', 'body', Array.from({ length: 5 }, () => [1, 1])],
  ['append', 'body', [[1]]],
  ['append', 'body', [[1, 2, 3]]],
  ['append', 'body', [[2 ** 32, 0]]],
  ['prepare', 'version', Buffer.alloc(8)],
  ['prepare', 'rows', 0],
  ['prepare', 'rows', 2 ** 40 + 1],
  ['prepare', 'lanes', [lane]],
  ['prepare', 'lanes', [lane, lane, lane]],
  ['prepare', 'lanes', [lane, { bytes: 1, checksum: 2 ** 32 }]],
  ['prepare', 'sealed', Buffer.alloc(0)],
  ['prepare', 'sealed', Buffer.alloc(8193)],
  ['prepare', 'condition', Buffer.alloc(15)],
  ['account-prepare', 'account', { ...account, salt: Buffer.alloc(15) }],
  ['account-prepare', 'account', { ...account, rounds: 0 }],
  ['account-prepare', 'account', { ...account, rounds: 10_000_001 }],
  ['account-prepare', 'account', { ...account, storedKeys: account.storedKeys.slice(1) }],
  ['account-prepare', 'account', { ...account, storedKeys: Array(4).fill(Buffer.alloc(31)) }],
  ['account-prepare', 'account', { ...account, wrappedKey: Buffer.alloc(61) }],
  ['account-prepare', 'account', { ...account, admin: true }],
]

for (const [op, field, value] of outside) {
  const shown = Buffer.isBuffer(value)
    ? `${value.length} bytes`
    : JSON.stringify(value).slice(0, 60)
  test(`${op}: ${field} = ${shown} is refused`, () => {
    refuses(() => checkRequest({ op, ...samples[op].request, [field]: value }), field)
  })
}

test('a command that is not known is refused, also one named like a property of every object', () => {
  for (const op of ['unknown', '', 'PING', 'constructor', '__proto__', 'toString', 5, null]) {
    refuses(() => checkRequest({ op }), 'command')
  }
  refuses(() => checkRequest({}), 'command')
})

test('entries with a state or a mask that does not exist are refused', () => {
  const wrong: Fields[] = [
    { state: 'staged' },
    { parts: 16 },
    { parts: -1 },
    { x: 4 },
    { first: 4 },
  ]
  for (const fields of wrong) {
    const response = { ...samples.lookup.response, entries: [{ ...entry, ...fields }] }
    refuses(() => checkResponse('lookup', response), Object.keys(fields)[0]!)
  }
  const many = { ...samples.lookup.response, entries: Array.from({ length: 65 }, () => entry) }
  refuses(() => checkResponse('lookup', many), 'entries')
})

test('a greeting names one of four nodes, a nonce and an epoch', () => {
  const greeting = { node: 4, nonce: Buffer.alloc(32), epoch: id }
  checkMessage(Greeting, greeting, 'the greeting')
  const wrong: Fields[] = [{ node: 0 }, { node: 5 }, { nonce: id }, { epoch: Buffer.alloc(32) }]
  for (const fields of wrong) {
    const check = () => checkMessage(Greeting, { ...greeting, ...fields }, 'the greeting')
    refuses(check, Object.keys(fields)[0]!)
  }
})

test('an error has a code and a sentence, and may have facts', () => {
  const error = { code: 'BUSY', message: 'Later.' }
  checkMessage(ErrorMessage, error, 'an error')
  checkMessage(ErrorMessage, { ...error, detail: { newest: '00', nodes: ['DFS1'] } }, 'an error')
  refuses(() => checkMessage(ErrorMessage, { ...error, message: 'x'.repeat(4097) }, ''), 'message')
  refuses(() => checkMessage(ErrorMessage, { ...error, detail: [] }, ''), 'detail')
})

function refuses(check: () => unknown, field: string): void {
  assert.throws(check, (error) => {
    assert.ok(error instanceof DfsError, `${error}`)
    assert.equal(error.code, 'BAD_MESSAGE')
    assert.ok(error.message.includes(field), `"${error.message}" does not name ${field}`)
    return true
  })
}
