// Sound and moving pictures for tests, written here byte by byte so that no program of others is
// needed: WAV, and WebM in which every frame is a key frame and can be sought.
import assert from 'node:assert/strict'

const HZ = 48_000
const SAMPLE_BYTES = 2
/** A cluster for each frame: its position stands in the index. */
const TRACK = 1

/** Silence, 16 bits, one channel: 96 kB a second. */
export function wavOf(seconds: number): Buffer {
  const sizeBytes = seconds * HZ * SAMPLE_BYTES
  const head = Buffer.alloc(44)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(36 + sizeBytes, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(HZ, 24)
  head.writeUInt32LE(HZ * SAMPLE_BYTES, 28)
  head.writeUInt16LE(SAMPLE_BYTES, 32)
  head.writeUInt16LE(8 * SAMPLE_BYTES, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(sizeBytes, 40)
  return Buffer.concat([head, Buffer.alloc(sizeBytes)])
}

/** The VP8 key frame inside a lossy WebP picture, as `canvas.toDataURL('image/webp')` makes one. */
export function keyFrameOf(dataUrl: string): Buffer {
  const webp = Buffer.from(dataUrl.slice(dataUrl.indexOf(',') + 1), 'base64')
  for (let at = 12; at + 8 <= webp.length; ) {
    const sizeBytes = webp.readUInt32LE(at + 4)
    if (webp.toString('latin1', at, at + 4) === 'VP8 ') {
      return webp.subarray(at + 8, at + 8 + sizeBytes)
    }
    at += 8 + sizeBytes + (sizeBytes % 2)
  }
  return assert.fail('the picture is no lossy WebP')
}

export interface Film {
  frame: Buffer
  frameCount: number
  frameMs: number
  width: number
  height: number
}

/** The same frame again and again, with an index in front; in parts, however long it is. */
export function* webmOf({ frame, frameCount, frameMs, width, height }: Film): Generator<Buffer> {
  const info = element('1549a966', [
    element('2ad7b1', unsigned(1_000_000)),
    element('4489', float(frameCount * frameMs)),
    element('4d80', Buffer.from('fourfold')),
    element('5741', Buffer.from('fourfold')),
  ])
  const video = element('e0', [element('b0', unsigned(width)), element('ba', unsigned(height))])
  const track = element('ae', [
    element('d7', unsigned(TRACK)),
    element('73c5', unsigned(TRACK)),
    element('83', unsigned(1)),
    element('86', Buffer.from('V_VP8')),
    video,
  ])
  const tracks = element('1654ae6b', track)
  const clusterOf = (index: number) =>
    element('1f43b675', [
      element('e7', unsigned(index * frameMs)),
      element('a3', [Buffer.from([0x80 | TRACK, 0, 0, 0x80]), frame]),
    ])
  const clusterBytes = clusterOf(0).length
  const cuesOf = (firstAt: number) =>
    element(
      '1c53bb6b',
      Buffer.concat(
        Array.from({ length: frameCount }, (_, index) =>
          element('bb', [
            element('b3', unsigned(index * frameMs)),
            element('b7', [
              element('f7', unsigned(TRACK)),
              element('f1', unsigned(firstAt + index * clusterBytes)),
            ]),
          ]),
        ),
      ),
    )
  // All numbers have one length: the index is as long whatever it says.
  const cues = cuesOf(info.length + tracks.length + cuesOf(0).length)
  const bodyBytes = info.length + tracks.length + cues.length + frameCount * clusterBytes
  yield Buffer.concat([
    element('1a45dfa3', [
      element('4286', unsigned(1)),
      element('42f7', unsigned(1)),
      element('42f2', unsigned(4)),
      element('42f3', unsigned(8)),
      element('4282', Buffer.from('webm')),
      element('4287', unsigned(4)),
      element('4285', unsigned(2)),
    ]),
    Buffer.from('18538067', 'hex'),
    size(bodyBytes),
    info,
    tracks,
    cues,
  ])
  for (let index = 0; index < frameCount; index++) yield clusterOf(index)
}

/** EBML: the id, the size of the content, the content. */
function element(id: string, content: Buffer | readonly Buffer[]): Buffer {
  const body = Buffer.isBuffer(content) ? content : Buffer.concat(content)
  return Buffer.concat([Buffer.from(id, 'hex'), size(body.length), body])
}

function size(bytes: number): Buffer {
  const eight = unsigned(bytes)
  eight[0] = 1
  return eight
}

function unsigned(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function float(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}
