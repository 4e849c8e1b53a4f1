// Takes a multipart/byteranges body apart as a client would: by the boundary of its Content-Type
// and by the lengths that its Content-Range fields give.
import assert from 'node:assert/strict'

export interface RangePart {
  from: number
  to: number
  sizeBytes: number
  type: string
  bytes: Buffer
}

/** The parts of `body`, in order; fails where anything but parts is in it. */
export function rangeParts(contentType: string, body: Buffer): RangePart[] {
  const boundary = /^multipart\/byteranges; boundary=([0-9A-Za-z]{1,70})$/.exec(contentType)?.[1]
  assert.ok(boundary !== undefined, `no boundary in ${contentType}`)
  const parts: RangePart[] = []
  let at = 0
  for (;;) {
    const end = `\r\n--${boundary}--\r\n`
    if (body.subarray(at).equals(Buffer.from(end))) return parts
    const headEnd = body.indexOf('\r\n\r\n', at)
    assert.ok(headEnd > at, `no head of a part at byte ${at}`)
    const head = body.subarray(at, headEnd).toString()
    const [, type = '', range = ''] =
      new RegExp(
        `^\r\n--${boundary}\r\nContent-Type: (.+)\r\nContent-Range: bytes (\\d+-\\d+/\\d+)$`,
      ).exec(head) ?? []
    const [from = 0, to = 0, sizeBytes = 0] = range.split(/[-/]/).map(Number)
    assert.ok(range !== '', `the head of a part is ${head}`)
    const bytes = body.subarray(headEnd + 4, headEnd + 4 + to - from + 1)
    parts.push({ from, to, sizeBytes, type, bytes })
    at = headEnd + 4 + bytes.length
  }
}
