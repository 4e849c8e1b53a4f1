// The arithmetic of keys and proofs against published vectors, and what a proof is bound to.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import {
  authMessage,
  clientKey,
  clusterProof,
  fakeSalt,
  fakeStoredKey,
  keyEncryptionKey,
  type ProofContext,
  proofKeyOf,
  SALT_BYTES,
  saltedPassword,
  storedKey,
  userProof,
  verifyClusterProof,
  verifyUserProof,
} from '@fourfold/storage-node/protocol'
import { readVectors } from '../../support/property.ts'

interface Pbkdf2 {
  vectors: { password: string; salt: string; rounds: number; key: string }[]
}

interface Scram {
  password: string
  salt_base64: string
  rounds: number
  auth_message: string
  client_proof_base64: string
  server_signature_base64: string
}

const context: ProofContext = {
  node: 2,
  nonce: Buffer.alloc(32, 7),
  counter: 5,
  by: 'user',
  user: 'alice',
  header: Buffer.from('a1616101', 'hex'),
}

for (const { password, salt, rounds, key } of readVectors<Pbkdf2>('pbkdf2.json').vectors) {
  test(`PBKDF2 of ${password} in ${rounds} rounds is what the RFC says`, async () => {
    const salted = await saltedPassword({ password, salt: Buffer.from(salt), rounds })
    assert.equal(salted.toString('hex'), key)
  })
}

test('the exchange of RFC 7677 section 3 proves and verifies', async () => {
  const vector = readVectors<Scram>('scram.json')
  const salt = Buffer.from(vector.salt_base64, 'base64')
  const salted = await saltedPassword({ ...vector, salt })
  const message = Buffer.from(vector.auth_message)
  // The RFC's ClientKey has no node number; everything after it is the same arithmetic.
  const key = createHmac('sha256', salted).update('Client Key').digest()
  const stored = storedKey(key)
  const proof = userProof(key, stored, message)
  assert.equal(proof.toString('base64'), vector.client_proof_base64)
  assert.equal(verifyUserProof(proofKeyOf(stored), proof, message), true)
  const serverKey = createHmac('sha256', salted).update('Server Key').digest()
  const signature = createHmac('sha256', serverKey).update(message).digest()
  assert.equal(signature.toString('base64'), vector.server_signature_base64)
})

test('each node has another ClientKey, and none is the key that wraps', () => {
  const salted = Buffer.alloc(32, 1)
  const keys = [1, 2, 3, 4].map((node) => clientKey(salted, node).toString('hex'))
  assert.equal(new Set([...keys, keyEncryptionKey(salted).toString('hex')]).size, 5)
  const expected = createHmac('sha256', salted).update('Client Key\u0003').digest('hex')
  assert.equal(keys[2], expected)
})

test('a password means the same composed and decomposed, and no other case', async () => {
  const derive = async (password: string) =>
    (await saltedPassword({ password, salt: Buffer.alloc(16), rounds: 2 })).toString('hex')
  assert.equal(await derive('caf\u00e9 au lait'), await derive('cafe\u0301 au lait'))
  assert.notEqual(await derive('secret'), await derive('Secret'))
})

test('a proof holds for its own message and for nothing that differs in any part', () => {
  const key = clientKey(Buffer.alloc(32, 9), 2)
  const stored = storedKey(key)
  const proof = userProof(key, stored, authMessage(context))
  assert.equal(verifyUserProof(proofKeyOf(stored), proof, authMessage(context)), true)
  const others: Partial<ProofContext>[] = [
    { node: 3 },
    { nonce: Buffer.alloc(32, 8) },
    { counter: 6 },
    { by: 'cluster' },
    { user: 'alicf' },
    { user: 'alic' },
    { header: Buffer.from('a1616102', 'hex') },
  ]
  for (const other of others) {
    assert.equal(
      verifyUserProof(proofKeyOf(stored), proof, authMessage({ ...context, ...other })),
      false,
    )
  }
})

test('user and header cannot trade bytes', () => {
  const one = authMessage({ ...context, user: 'ab', header: Buffer.from('cd') })
  const other = authMessage({ ...context, user: 'abc', header: Buffer.from('d') })
  assert.notDeepEqual(one, other)
})

test('a proof that is altered, cut or lengthened does not hold', () => {
  const key = clientKey(Buffer.alloc(32, 9), 2)
  const stored = storedKey(key)
  const message = authMessage(context)
  const proof = userProof(key, stored, message)
  for (let at = 0; at < proof.length; at++) {
    const altered = Buffer.from(proof)
    altered[at]! ^= 1 << (at % 8)
    assert.equal(verifyUserProof(proofKeyOf(stored), altered, message), false)
  }
  assert.equal(verifyUserProof(proofKeyOf(stored), proof.subarray(1), message), false)
  assert.equal(verifyUserProof(proofKeyOf(stored), Buffer.concat([proof, proof]), message), false)
  assert.equal(verifyUserProof(proofKeyOf(stored), Buffer.alloc(0), message), false)
})

test('the cluster key proves like a key, and another one does not', () => {
  const key = Buffer.alloc(32, 4)
  const message = authMessage({ ...context, by: 'cluster', user: '' })
  const proof = clusterProof(key, message)
  assert.equal(verifyClusterProof(key, proof, message), true)
  assert.equal(verifyClusterProof(Buffer.alloc(32, 5), proof, message), false)
  assert.equal(verifyClusterProof(key, proof.subarray(1), message), false)
})

test('an unknown user has a salt that stays, and differs between users and clusters', () => {
  const key = Buffer.alloc(32, 4)
  const salt = fakeSalt(key, 'nobody')
  assert.equal(salt.length, SALT_BYTES)
  assert.deepEqual(fakeSalt(key, 'nobody'), salt)
  assert.notDeepEqual(fakeSalt(key, 'nobodx'), salt)
  assert.notDeepEqual(fakeSalt(Buffer.alloc(32, 5), 'nobody'), salt)
  assert.equal(fakeStoredKey(key, 'nobody').length, 32)
})
