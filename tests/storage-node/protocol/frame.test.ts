// Frames against bytes from anywhere: what was encoded comes back whole however it is split, and
// whatever is not a frame is refused with the code that the specification names.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import {
  type BodySink,
  collectBody,
  DfsError,
  type ErrorCode,
  encodeFrameHead,
  encodeHeader,
  type FrameHead,
  FrameKind,
  FrameReader,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_PROOF_BYTES,
  PRELUDE_BYTES,
  type Proof,
  sectionsOf,
} from '@fourfold/storage-node/protocol'
import fc from 'fast-check'
import { holds, readVectors } from '../../support/property.ts'

interface Received {
  head: FrameHead
  body: Buffer[]
  damaged: readonly number[]
}

interface FrameVectors {
  frames: { name: string; hex: string; kind: number; id: number; sections: number[] }[]
  refused: { name: string; hex: string; code: ErrorCode }[]
  header_refused: { name: string; hex: string }[]
}

const vectors = readVectors<FrameVectors>('frames.json')

const proofs = fc.record({
  by: fc.constantFrom('user' as const, 'cluster' as const),
  counter: fc.maxSafeNat(),
  clientProof: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  user: fc.string({ unit: 'grapheme', maxLength: 20 }),
})
const frames = fc.record({
  kind: fc.constantFrom(...Object.values(FrameKind)),
  id: fc.integer({ min: 0, max: 0xffff_ffff }),
  fields: fc.dictionary(
    fc.string({ unit: 'grapheme', maxLength: 8 }).filter((key) => key !== 'body'),
    fc.oneof(fc.maxSafeNat(), fc.boolean(), fc.string({ unit: 'grapheme' }), fc.constant(null)),
    { noNullPrototype: true, maxKeys: 5 },
  ),
  proof: fc.option(proofs, { nil: undefined }),
  body: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }),
})
type Frame = Omit<typeof frames extends fc.Arbitrary<infer T> ? T : never, 'proof'> & {
  proof: Proof | undefined
}

test('a frame comes back as it was sent, byte by byte and in random pieces', (t) =>
  holds(
    t,
    fc.property(
      fc.array(frames, { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 200 })),
      (sent, lengths) => {
        const bytes = Buffer.concat(sent.map(encode))
        const ones = (function* () {
          while (true) yield 1
        })()
        for (const split of [ones, lengths, [bytes.length][Symbol.iterator]()]) {
          const received = readAll(bytes, split)
          assert.equal(received.length, sent.length)
          for (const [at, frame] of sent.entries()) checkSame(received[at]!, frame)
        }
      },
    ),
    120,
  ))

test('the vectors decode to what they say', () => {
  for (const { name, hex, kind, id, sections } of vectors.frames) {
    const [received, ...more] = readAll(Buffer.from(hex, 'hex'))
    assert.ok(received, name)
    assert.equal(more.length, 0, name)
    assert.equal(received.head.kind, kind, name)
    assert.equal(received.head.id, id, name)
    assert.deepEqual(received.damaged, [], name)
    const lengths = received.body.map((section) => section.length)
    assert.deepEqual(lengths, sections, name)
  }
})

for (const { name, hex, code } of vectors.refused) {
  test(`${name} is refused with ${code}`, () => refuses(Buffer.from(hex, 'hex'), code))
}

for (const { name, hex } of vectors.header_refused) {
  test(`a header with ${name} is refused with BAD_FRAME`, () => {
    refuses(frameWith(Buffer.from(hex, 'hex')), 'BAD_FRAME')
  })
}

test('every length is refused when it is one above its limit, before its bytes come', () => {
  for (const [at, limit] of [
    [8, MAX_HEADER_BYTES],
    [12, MAX_BODY_BYTES],
  ] as const) {
    const prelude = frameWith(encodeHeader({})).subarray(0, PRELUDE_BYTES)
    prelude.writeUInt32BE(limit + 1, at)
    refuses(prelude, 'FRAME_TOO_LONG')
  }
  const prelude = frameWith(encodeHeader({})).subarray(0, PRELUDE_BYTES)
  prelude.writeUInt16BE(MAX_PROOF_BYTES + 1, 16)
  refuses(prelude, 'FRAME_TOO_LONG')
})

test('a header of the greatest length is taken', () => {
  const header = encodeHeader({ text: 'x'.repeat(MAX_HEADER_BYTES - 9) })
  assert.equal(header.length, MAX_HEADER_BYTES)
  assert.equal(readAll(frameWith(header)).length, 1)
})

test('any flipped bit of a head is noticed', () => {
  const whole = encode({ kind: 1, id: 9, fields: { op: 'ping' }, proof: aProof(), body: [] })
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = Buffer.from(whole)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    // A length that grew leaves the frame unfinished: then nothing was taken, which is as good.
    const received = attempt(bytes)
    assert.ok(received instanceof DfsError || received.length === 0, `bit ${bit}`)
  }
})

test('a flipped bit of a body names its section and loses no framing', () => {
  const body = [Buffer.from('one'), Buffer.alloc(0), Buffer.from('three')]
  const first = encode({ kind: 2, id: 1, fields: {}, proof: undefined, body })
  const next = encode({ kind: 2, id: 2, fields: {}, proof: undefined, body: [] })
  first[first.length - 1]! ^= 1
  const received = readAll(Buffer.concat([first, next]))
  assert.deepEqual(received[0]!.damaged, [2])
  assert.equal(received[1]!.head.id, 2)
})

test('sections that do not add up to the body are refused', () => {
  const badSections: [body: unknown, bodyLength: number][] = [
    [undefined, 1],
    [[[1, 0]], 2],
    [
      [
        [3, 0],
        [0xffff_ffff, 0],
      ],
      2,
    ],
    [[[1, 0, 0]], 1],
    [[[1]], 1],
    [
      [
        [-1, 0],
        [2, 0],
      ],
      1,
    ],
    [[[1, -1]], 1],
    [[[1, 2 ** 32]], 1],
    [
      [
        [0.5, 0],
        [0.5, 0],
      ],
      1,
    ],
    [Array.from({ length: 5 }, () => [0, 0]), 0],
    [{ 0: [1, 0] }, 1],
    ['body', 4],
    [null, 0],
  ]
  for (const [body, bodyLength] of badSections) {
    const header = encodeHeader(body === undefined ? {} : { body })
    refuses(encodeFrameHead({ kind: 1, id: 1, header, bodyLength }), 'BAD_FRAME')
  }
})

test('a proof that is cut short, of an unknown prover or with a counter beyond 2^53 is refused', () => {
  const proof = Buffer.concat([Buffer.alloc(9), Buffer.alloc(32, 7), Buffer.from('alice')])
  for (const length of [1, 8, 9, 40])
    refuses(frameWith(EMPTY, proof.subarray(0, length)), 'BAD_FRAME')
  const unknown = Buffer.from(proof)
  unknown[0] = 2
  refuses(frameWith(EMPTY, unknown), 'BAD_FRAME')
  const late = Buffer.from(proof)
  late.writeBigUInt64BE(2n ** 53n, 1)
  refuses(frameWith(EMPTY, late), 'BAD_FRAME')
  assert.equal(readAll(frameWith(EMPTY, proof))[0]!.head.proof!.user, 'alice')
})

test('whatever bytes come, the reader takes them or refuses them with one of its codes', (t) =>
  holds(
    t,
    fc.property(frames, fc.uint8Array({ maxLength: 60 }), fc.nat(), (frame, noise, at) => {
      const bytes = encode(frame)
      bytes.set(noise.subarray(0, bytes.length), at % Math.max(1, bytes.length - noise.length))
      const received = attempt(bytes)
      if (!(received instanceof DfsError)) return
      const codes = ['BAD_FRAME', 'FRAME_TOO_LONG', 'FRAME_DAMAGED', 'PROTOCOL_VERSION']
      assert.ok(codes.includes(received.code), received.code)
    }),
    500,
  ))

test('the reader knows whether it stands between two frames', () => {
  const reader = new FrameReader({ onFrame: (head) => collectBody(head, () => {}) })
  const bytes = encode({ kind: 1, id: 1, fields: {}, proof: undefined, body: [Buffer.from('ab')] })
  assert.equal(reader.isBetweenFrames, true)
  for (const [at, byte] of bytes.entries()) {
    reader.push(Buffer.of(byte))
    assert.equal(reader.isBetweenFrames, at === bytes.length - 1)
  }
})

const EMPTY = encodeHeader({})

function aProof(): Proof {
  return { by: 'user', counter: 3, clientProof: Buffer.alloc(32, 5), user: 'alice' }
}

/** A whole frame of kind request. */
function encode({ kind, id, fields, proof, body }: Frame): Buffer {
  const header = encodeHeader(body.length > 0 ? { ...fields, body: sectionsOf(body) } : fields)
  const bodyLength = body.reduce((sum, section) => sum + section.length, 0)
  const head = encodeFrameHead({ kind, id, header, bodyLength, ...(proof && { proof }) })
  return Buffer.concat([head, ...body])
}

/** A frame around any header and proof bytes, with a checksum that is right. */
function frameWith(header: Uint8Array, proof: Uint8Array = Buffer.alloc(0)): Buffer {
  const prelude = encodeFrameHead({ kind: 1, id: 1, header }).subarray(0, PRELUDE_BYTES)
  prelude.writeUInt16BE(proof.length, 16)
  const rest = Buffer.concat([header, proof])
  prelude.writeUInt32BE(crc32(rest, crc32(prelude.subarray(0, 20))), 20)
  return Buffer.concat([prelude, rest])
}

function readAll(bytes: Buffer, lengths: Iterator<number> = [bytes.length].values()): Received[] {
  const received: Received[] = []
  const onFrame = (head: FrameHead): BodySink =>
    collectBody(head, (body, damaged) => received.push({ head, body, damaged }))
  const reader = new FrameReader({ onFrame })
  for (let at = 0; at < bytes.length; ) {
    const { value = 1 } = lengths.next() as IteratorResult<number, undefined>
    reader.push(bytes.subarray(at, at + value))
    at += value
  }
  return received
}

function attempt(bytes: Buffer): Received[] | DfsError {
  try {
    return readAll(bytes)
  } catch (error) {
    if (error instanceof DfsError) return error
    throw error
  }
}

function refuses(bytes: Buffer, code: ErrorCode): void {
  const received = attempt(bytes)
  assert.ok(received instanceof DfsError, 'the frame was taken')
  assert.equal(received.code, code)
}

function checkSame({ head, body, damaged }: Received, frame: Frame): void {
  const { body: _, ...fields } = head.header
  assert.deepEqual(fields, frame.fields)
  assert.equal(head.kind, frame.kind)
  assert.equal(head.id, frame.id)
  assert.deepEqual(damaged, [])
  assert.deepEqual(
    body,
    frame.body.map((section) => Buffer.from(section)),
  )
  const clientProof = frame.proof && Buffer.from(frame.proof.clientProof)
  assert.deepEqual(head.proof, frame.proof && { ...frame.proof, clientProof })
}
