// The body of an answer with several ranges: multipart/byteranges (RFC 9110 section 14.6). Knows
// lengths and heads; the bytes between them come from whoever reads the file.
import { randomBytes } from 'node:crypto'
import type { ByteRange } from '../dfs/store.ts'

export interface ByteRangesBody {
  /** The Content-Type of the whole answer. */
  contentType: string
  /** Length of the whole body, heads and tail included. */
  sizeBytes: number
  /** The body, made of the bytes of the ranges, one range after the other. */
  wrap(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer>
}

export interface RangedFile {
  sizeBytes: number
  /** The media type as a whole answer would carry it. */
  contentType: string
}

/** The body for `ranges` of `file`, in their order; there are at least two. */
export function byteRangesBody(ranges: readonly ByteRange[], file: RangedFile): ByteRangesBody {
  // Too long to be met by chance in a file, and not known to whoever wrote one.
  const boundary = randomBytes(18).toString('hex')
  const heads = ranges.map((range) => headOf(range, file, boundary))
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  const contentBytes = ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0)
  const headBytes = heads.reduce((sum, head) => sum + head.length, 0)
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    sizeBytes: headBytes + contentBytes + tail.length,
    wrap: (content) => wrapped(content, { ranges, heads, tail }),
  }
}

async function* wrapped(
  content: AsyncIterable<Buffer>,
  { ranges, heads, tail }: { ranges: readonly ByteRange[]; heads: Buffer[]; tail: Buffer },
): AsyncGenerator<Buffer> {
  let at = -1
  let leftBytes = 0
  for await (const bytes of content) {
    for (let offset = 0; offset < bytes.length; ) {
      if (leftBytes === 0) {
        const { from, to } = ranges[++at]!
        leftBytes = to - from + 1
        yield heads[at]!
      }
      const taken = Math.min(leftBytes, bytes.length - offset)
      yield bytes.subarray(offset, offset + taken)
      leftBytes -= taken
      offset += taken
    }
  }
  yield tail
}

function headOf({ from, to }: ByteRange, file: RangedFile, boundary: string): Buffer {
  const lines = [
    `\r\n--${boundary}`,
    `Content-Type: ${file.contentType}`,
    `Content-Range: bytes ${from}-${to}/${file.sizeBytes}`,
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}
