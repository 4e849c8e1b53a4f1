// The protocol's page against the code: every hex digit of its worked examples is computed again
// from the example's own inputs, its exchange is read by the frame reader, and its tables name what
// exists.
import assert from 'node:assert/strict'
import { createDecipheriv, createHash, createHmac, createSecretKey, hkdfSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  AccountRecord,
  authMessage,
  checkMessage,
  checkRequest,
  checkResponse,
  clientKey,
  clusterProof,
  collectBody,
  commands,
  decodeStrict,
  Entry,
  encodeHeader,
  type FrameHead,
  FrameReader,
  Greeting,
  keyEncryptionKey,
  laneOfPart,
  lanesOfNode,
  pieceBytes,
  pieceOffset,
  proofKeyOf,
  rotationOf,
  saltedPassword,
  storedKey,
  userProof,
  verifyUserProof,
} from '@fourfold/storage-node/protocol'
import { openDescription } from '../../../gateway/dfs/description.ts'
import { fileIdOf, fileKeysOf, unwrapUserKey } from '../../../gateway/dfs/keys.ts'
import { openRow, sealRow } from '../../../gateway/dfs/row.ts'
import { ROOT } from '../../support/sources.ts'

const page = readFileSync(join(ROOT, 'storage-node/protocol/README.md'), 'utf8')
const keys = example('keys')
const row = example('row')
const proof = example('proof')

test('the example of keys comes from its password and user key', async () => {
  const salt = keys.bytes('salt')
  const rounds = keys.number('rounds')
  const salted = await saltedPassword({ password: keys.text('password'), salt, rounds })
  assert.deepEqual(salted, keys.bytes('SaltedPassword'))
  const key = clientKey(salted, keys.number('node'))
  assert.deepEqual(key, keys.bytes('ClientKey'))
  assert.deepEqual(storedKey(key), keys.bytes('StoredKey'))
  assert.deepEqual(keyEncryptionKey(salted), keys.bytes('KEK'))
  const userKey = unwrapUserKey(keys.bytes('KEK'), keys.text('user'), keys.bytes('wrapped key'))
  assert.deepEqual(userKey, keys.bytes('user key'))
  assert.deepEqual(keys.bytes('wrapped key').subarray(0, 12), keys.bytes('wrap nonce'))
})

test('the keys below the user key are HKDF as the page says, and the gateway makes the same', () => {
  const userKey = keys.bytes('user key')
  for (const [label, info] of [
    ['name key', 'fourfold name'],
    ['entry key', 'fourfold entry'],
  ] as const) {
    const made = Buffer.from(hkdfSync('sha256', userKey, '', info, 32))
    assert.deepEqual(made, keys.bytes(label))
  }
  const { nameKey, entryKey } = fileKeysOf(createSecretKey(userKey))
  assert.deepEqual(nameKey.export(), keys.bytes('name key'))
  assert.deepEqual(entryKey.export(), keys.bytes('entry key'))
  const name = keys.text('file name')
  assert.deepEqual(fileIdOf(nameKey, name), keys.bytes('file id'))
  const mac = createHmac('sha256', keys.bytes('name key')).update(name).digest()
  assert.deepEqual(mac.subarray(0, 16), keys.bytes('file id'))
})

test('the example of a proof comes from the keys, and verifies', () => {
  const message = authMessage({
    node: proof.number('node'),
    nonce: proof.bytes('nonce'),
    counter: proof.number('counter'),
    by: 'user',
    user: proof.text('user'),
    header: proof.bytes('header'),
  })
  const stored = keys.bytes('StoredKey')
  assert.deepEqual(message, proof.bytes('AuthMessage'))
  const signature = createHmac('sha256', stored).update(message).digest()
  assert.deepEqual(signature, proof.bytes('signature'))
  assert.deepEqual(userProof(keys.bytes('ClientKey'), stored, message), proof.bytes('ClientProof'))
  assert.equal(verifyUserProof(proofKeyOf(stored), proof.bytes('ClientProof'), message), true)
  const header = { op: 'lookup', file: keys.bytes('file id'), withParts: true }
  assert.deepEqual(Buffer.from(encodeHeader(header)), proof.bytes('header'))
})

test('the example of a proof by the cluster key is its HMAC', () => {
  const cluster = example('cluster')
  const message = authMessage({
    node: cluster.number('node'),
    nonce: cluster.bytes('nonce'),
    counter: cluster.number('counter'),
    by: 'cluster',
    user: '',
    header: cluster.bytes('header'),
  })
  assert.deepEqual(message, cluster.bytes('AuthMessage'))
  assert.deepEqual(clusterProof(cluster.bytes('cluster key'), message), cluster.bytes('proof'))
})

test('the example of a row is sealed, cut and placed as the page says', () => {
  const content = row.bytes('content')
  const sealed = row.bytes('sealed row')
  const decipher = createDecipheriv('aes-256-gcm', row.bytes('row key'), row.bytes('row nonce'))
  decipher.setAuthTag(sealed.subarray(-16))
  const opened = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
  assert.deepEqual(opened, content)
  const key = createSecretKey(row.bytes('row key'))
  const position = { row: 0, attempt: 0, isLast: true }
  assert.deepEqual(openRow(key, position, [sealed]), [content])
  for (const [lane, { segments }] of sealRow(key, position, [content]).entries()) {
    const piece = row.bytes(`piece ${lane}`)
    assert.deepEqual(Buffer.concat(segments), piece)
    const from = pieceOffset(sealed.length, lane)
    assert.deepEqual(sealed.subarray(from, from + pieceBytes(sealed.length, lane)), piece)
  }
  assert.deepEqual(createHash('md5').update(content).digest(), row.bytes('MD5'))
  assert.equal(rotationOf(row.bytes('MD5')), row.number('x'))
})

test('the example of a description opens with the entry key and says what the page says', () => {
  const place = { file: keys.bytes('file id'), version: row.bytes('version') }
  const entryKey = createSecretKey(keys.bytes('entry key'))
  const description = openDescription(entryKey, [{ ...place, sealed: row.bytes('sealed') }])
  assert.equal(description.name, keys.text('file name'))
  assert.equal(description.size, row.bytes('content').length)
  assert.deepEqual(Buffer.from(description.key), row.bytes('row key'))
  const plain = decodeStrict(row.bytes('description')) as object
  assert.deepEqual(plain, { format: 1, ...description })
  assert.deepEqual(Buffer.from(encodeHeader(plain)), row.bytes('description'))
  assert.deepEqual(row.bytes('sealed').subarray(0, 12), row.bytes('seal nonce'))
})

test('the exchange is frames that say what their comments say', () => {
  const [greeting, salt, salted, lookup, found, ...more] = exchange()
  assert.equal(more.length, 0)
  const { node, nonce } = checkMessage(Greeting, greeting!.head.header, 'the greeting')
  assert.equal(node, proof.number('node'))
  assert.deepEqual(Buffer.from(nonce), proof.bytes('nonce'))
  assert.deepEqual(checkRequest(salt!.head.header), { op: 'salt', user: keys.text('user') })
  const answer = checkResponse('salt', salted!.head.header)
  assert.deepEqual(Buffer.from(answer.salt), keys.bytes('salt'))
  assert.equal(answer.rounds, keys.number('rounds'))
  assert.deepEqual(Buffer.from(lookup!.head.headerBytes), proof.bytes('header'))
  assert.deepEqual(lookup!.head.proof!.clientProof, proof.bytes('ClientProof'))
  const { entries, parts } = checkResponse('lookup', found!.head.header)
  const entry = entries[0]!
  assert.deepEqual(Buffer.from(entry.sealed), row.bytes('sealed'))
  assert.equal(entry.x, row.number('x'))
  assert.deepEqual(
    parts.map((part) => laneOfPart(part, entry)),
    lanesOfNode(node - 1, entry.first),
  )
  for (const [at, part] of parts.entries()) {
    assert.deepEqual(found!.body[at], row.bytes(`piece ${laneOfPart(part, entry)}`))
  }
})

test('every command is in the tables of messages with its fields, and no other', () => {
  const [from, to] = [page.indexOf('\n## 5. '), page.indexOf('\n## 6. ')]
  const messages = page.slice(page.indexOf('\n### Anyone', from), to)
  const rows = messages.matchAll(/^\| `([a-z-]+)`(:[^|]*)?( \|.*)$/gm)
  const listed = new Map(
    [...rows].map(([, op, request = '', rest]) => [op!, { request, rest: rest! }]),
  )
  for (const [op, { audience, request, response }] of Object.entries(commands)) {
    const text = listed.get(op)
    assert.ok(text, `the page has no ${op}`)
    for (const field of Object.keys(request.properties)) {
      if (field === 'body') assert.match(text.request, /\bbody\b/, `${op} has a body`)
      else assert.ok(text.request.includes(`\`${field}\``), `${op} has the field ${field}`)
    }
    for (const field of Object.keys(response.properties)) {
      if (field === 'body') assert.match(text.rest, /\bbody\b/, `the answer to ${op} has a body`)
      else assert.ok(text.rest.includes(`\`${field}\``), `the answer to ${op} has ${field}`)
    }
    const who = { anyone: '', user: '| user |', cluster: '| cluster |', both: '| user, cluster |' }
    assert.ok(text.rest.includes(who[audience]), `${op} is for ${audience}`)
    listed.delete(op)
  }
  assert.deepEqual([...listed.keys()], [], 'the page names commands that do not exist')
})

test('the maps of accounts and entries have the fields that the page says', () => {
  for (const [name, schema] of [
    ['Account', AccountRecord],
    ['Entry', Entry],
  ] as const) {
    const from = page.indexOf(`An *${name}* is the map`)
    const [, table = ''] = page.slice(from).split('\n\n')
    const fields = [...table.matchAll(/^\| (`.+?`) \|/gm)].flatMap(([, cell]) => cell!.split(', '))
    const expected = Object.keys(schema.properties).map((field) => `\`${field}\``)
    assert.deepEqual(fields.toSorted(), expected.toSorted(), name)
  }
})

interface Example {
  bytes(name: string): Buffer
  text(name: string): string
  number(name: string): number
}

/** The lines `name: value` of a fenced example; a value goes on in lines that are indented. */
function example(name: string): Example {
  const values = new Map<string, string>()
  let last = ''
  for (const line of fence(name)) {
    const start = /^(\S[^:]*):\s+(.*)$/.exec(line)
    if (start !== null) last = start[1]!
    values.set(last, start === null ? `${values.get(last)} ${line.trim()}` : start[2]!)
  }
  const text = (key: string) => {
    const value = values.get(key)
    assert.ok(value !== undefined, `the example "${name}" has no line "${key}"`)
    return value
  }
  return {
    text,
    bytes: (key) => fromHex(text(key)),
    number: (key) => Number(text(key)),
  }
}

function exchange(): { head: FrameHead; body: Buffer[] }[] {
  const bytes = fence('exchange').filter((line) => !line.startsWith('#'))
  const received: { head: FrameHead; body: Buffer[] }[] = []
  const reader = new FrameReader({
    onFrame: (head) =>
      collectBody(head, (body, damaged) => {
        assert.deepEqual(damaged, [])
        received.push({ head, body })
      }),
  })
  reader.push(fromHex(bytes.map((line) => line.replace(/;.*/, '')).join('')))
  assert.equal(reader.isBetweenFrames, true)
  return received
}

/** The lines of the fence that is marked `example=name`. */
function fence(name: string): string[] {
  const found = new RegExp(`^\`\`\`text example=${name}\n([^\`]*)\n\`\`\`$`, 'm').exec(page)
  assert.ok(found, `the page has no example "${name}"`)
  return found[1]!.split('\n')
}

function fromHex(text: string): Buffer {
  const digits = text.replaceAll(/\s/g, '')
  assert.match(digits, /^([0-9a-f]{2})*$/)
  return Buffer.from(digits, 'hex')
}
