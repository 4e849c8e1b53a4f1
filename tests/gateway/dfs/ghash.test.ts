// GHASH against the vectors that came with the proposal of GCM.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ghash } from '../../../gateway/dfs/ghash.ts'

/** McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B: test cases 2 and 4. */
const VECTORS = [
  {
    hashKey: '66e94bd4ef8a2c3b884cfa59ca342b2e',
    context: '',
    text: '0388dace60b6a392f328c2b971b2fe78',
    hash: 'f38cbb1ad69223dcc3457ae5b6b0f885',
  },
  {
    hashKey: 'b83b533708bf535d0aa6e52980d53b78',
    context: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    text:
      '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e' +
      '21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091',
    hash: '698e57f70e6ecc7fd9463b7260a9ae5f',
  },
]

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((16 - (bytes.length % 16)) % 16)])
}

test('the hash of quads is what the vectors say, in one step and in many', () => {
  for (const vector of VECTORS) {
    const context = Buffer.from(vector.context, 'hex')
    const text = Buffer.from(vector.text, 'hex')
    const lengths = Buffer.alloc(16)
    lengths.writeUInt32BE(context.length * 8, 4)
    lengths.writeUInt32BE(text.length * 8, 12)
    const quads = Buffer.concat([padded(context), padded(text), lengths])
    const view = new DataView(quads.buffer, quads.byteOffset, quads.length)
    const ghash = new Ghash(Buffer.from(vector.hashKey, 'hex'))
    const hashOf = (quadsAtOnce: number) => {
      ghash.reset()
      for (let at = 0; at < quads.length; at += quadsAtOnce * 16) {
        ghash.update(view, at, Math.min(quadsAtOnce, (quads.length - at) / 16))
      }
      const hash = Buffer.alloc(16)
      for (const [at, word] of ghash.words.entries()) hash.writeInt32BE(word, at * 4)
      return hash.toString('hex')
    }
    assert.deepEqual([hashOf(100), hashOf(1), hashOf(2)], Array(3).fill(vector.hash))
  }
})
