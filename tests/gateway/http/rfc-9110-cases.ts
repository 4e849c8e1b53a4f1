// The cases of rfc-9110.test.ts: what reading a file is asked for and answered with. The sections
// are those of RFC 9110. Knows no gateway.
/** A file of a site, and what the table speaks of it by. */
export interface Known {
  name: string
  bytes: Buffer
  size: number
  tag: string
  modified: string
  before: string
  after: string
}

export interface Case {
  what: string
  method?: 'GET' | 'HEAD'
  headers: (file: Known) => Record<string, string>
  status: number
  /** Ranges of the body; default: all of it for 200, nothing else. */
  ranges?: (file: Known) => [from: number, to: number][]
  /** Fields that the answer must have; undefined: must not. */
  fields?: (file: Known) => Record<string, string | undefined>
}

export const OTHER = '"0123456789abcdef0123456789abcdef"'
const MIDDLE = 500

const GET_200: Omit<Case, 'what' | 'headers'> = { status: 200 }
const whole = (what: string, headers: Case['headers']): Case => ({ what, headers, ...GET_200 })
const status = (code: number, what: string, headers: Case['headers']): Case[] => [
  { what, headers, status: code },
  { what: `${what}, by HEAD`, method: 'HEAD', headers, status: code },
]
const part = (
  what: string,
  range: string | ((f: Known) => string),
  ranges: Case['ranges'],
): Case => ({
  what,
  headers: (f) => ({ range: typeof range === 'string' ? range : range(f) }),
  status: 206,
  ...(ranges && { ranges }),
})

export const cases: Case[] = [
  {
    what: '9.3.1, 8.8: a plain answer carries validators, length, ranges and digests',
    headers: () => ({}),
    status: 200,
    fields: (f) => ({
      etag: f.tag,
      'last-modified': f.modified,
      'accept-ranges': 'bytes',
      'content-length': String(f.size),
      'content-md5': md5Of(f).toString('base64'),
      'repr-digest': `md5=:${md5Of(f).toString('base64')}:`,
      'content-digest': undefined,
      'content-range': undefined,
    }),
  },
  {
    what: '9.3.2: HEAD has the length of what GET would send',
    method: 'HEAD',
    headers: () => ({}),
    status: 200,
    fields: (f) => ({ 'content-length': String(f.size), etag: f.tag }),
  },
  // 13.1.1 If-Match
  whole('13.1.1: If-Match with the tag', (f) => ({ 'if-match': f.tag })),
  whole('13.1.1: If-Match with the tag among others', (f) => ({
    'if-match': `${OTHER} , ${f.tag}`,
  })),
  whole('13.1.1: If-Match *', () => ({ 'if-match': '*' })),
  ...status(412, '13.1.1: If-Match with another tag', () => ({ 'if-match': OTHER })),
  ...status(412, '13.1.1: If-Match compares strongly', (f) => ({ 'if-match': `W/${f.tag}` })),
  ...status(412, '13.1.1: If-Match without quotes', (f) => ({ 'if-match': f.tag.slice(1, -1) })),
  // 13.1.2 If-None-Match
  ...status(304, '13.1.2: If-None-Match with the tag', (f) => ({ 'if-none-match': f.tag })),
  ...status(304, '13.1.2: it compares weakly', (f) => ({ 'if-none-match': `W/${f.tag}` })),
  ...status(304, '13.1.2: among others', (f) => ({ 'if-none-match': `"a",, ${f.tag}` })),
  ...status(304, '13.1.2: If-None-Match *', () => ({ 'if-none-match': '*' })),
  whole('13.1.2: If-None-Match with another tag', () => ({ 'if-none-match': OTHER })),
  whole('13.1.2: If-None-Match that is no tag', (f) => ({ 'if-none-match': f.tag.slice(1, -1) })),
  {
    what: '15.4.5: 304 carries what guides caches, and nothing of the body',
    headers: (f) => ({ 'if-none-match': f.tag }),
    status: 304,
    fields: (f) => ({
      etag: f.tag,
      'cache-control': 'private, no-cache',
      'content-security-policy': "default-src 'none'; sandbox",
      'last-modified': undefined,
      'content-type': undefined,
      'content-length': undefined,
      'content-md5': undefined,
      'repr-digest': undefined,
      'content-disposition': undefined,
      'accept-ranges': undefined,
    }),
  },
  // 13.1.3 If-Modified-Since
  ...status(304, '13.1.3: not modified since', (f) => ({ 'if-modified-since': f.modified })),
  ...status(304, '13.1.3: nor since later', (f) => ({ 'if-modified-since': f.after })),
  ...status(304, '13.1.3, 5.6.7: in the form of RFC 850', (f) => ({
    'if-modified-since': rfc850(f.after),
  })),
  ...status(304, '13.1.3, 5.6.7: in the form of asctime', (f) => ({
    'if-modified-since': asctime(f.after),
  })),
  whole('13.1.3: modified since', (f) => ({ 'if-modified-since': f.before })),
  whole('13.1.3: what is no date is ignored', () => ({ 'if-modified-since': 'yesterday' })),
  whole('13.1.3: ISO 8601 is no HTTP date', () => ({
    'if-modified-since': new Date().toISOString(),
  })),
  // 13.1.4 If-Unmodified-Since
  whole('13.1.4: unmodified since', (f) => ({ 'if-unmodified-since': f.modified })),
  whole('13.1.4: what is no date is ignored', () => ({ 'if-unmodified-since': 'yesterday' })),
  ...status(412, '13.1.4: modified since', (f) => ({ 'if-unmodified-since': f.before })),
  // 13.2.2 precedence
  whole('13.2.2: If-Match before If-Unmodified-Since', (f) => ({
    'if-match': f.tag,
    'if-unmodified-since': f.before,
  })),
  ...status(412, '13.2.2: If-Match before If-None-Match', (f) => ({
    'if-match': OTHER,
    'if-none-match': f.tag,
  })),
  ...status(304, '13.2.2: If-None-Match after If-Match', (f) => ({
    'if-match': f.tag,
    'if-none-match': f.tag,
  })),
  whole('13.2.2: If-None-Match before If-Modified-Since', (f) => ({
    'if-none-match': OTHER,
    'if-modified-since': f.after,
  })),
  ...status(412, '13.2.2: If-Unmodified-Since before If-None-Match', (f) => ({
    'if-unmodified-since': f.before,
    'if-none-match': f.tag,
  })),
  ...status(304, '13.2.2: 304 before a range', (f) => ({
    'if-none-match': f.tag,
    range: 'bytes=0-0',
  })),
  ...status(412, '13.2.2: 412 before a range beyond the file', (f) => ({
    'if-match': OTHER,
    range: `bytes=${f.size}-`,
  })),
  // 14.1, 14.2 one range
  part('14.1.2: the first byte', 'bytes=0-0', () => [[0, 0]]),
  part(
    '14.1.2: the last byte',
    (f) => `bytes=${f.size - 1}-`,
    (f) => [[f.size - 1, f.size - 1]],
  ),
  part('14.1.2: an open range', `bytes=${MIDDLE}-`, (f) => [[MIDDLE, f.size - 1]]),
  part('14.1.2: a range is clipped', `bytes=${MIDDLE}-99999999`, (f) => [[MIDDLE, f.size - 1]]),
  part('14.1.2: a suffix', 'bytes=-7', (f) => [[f.size - 7, f.size - 1]]),
  part('14.1.2: a suffix longer than the file', 'bytes=-99999999', (f) => [[0, f.size - 1]]),
  part('14.1.2: all of it as a range', 'bytes=0-', (f) => [[0, f.size - 1]]),
  part('14.1: units in any case', 'BYTES=1-2', () => [[1, 2]]),
  part(
    '14.1.2: across the middle',
    (f) => around(f).range,
    (f) => [around(f).span],
  ),
  {
    what: '15.3.7: 206 carries what 200 would, and the digest of the whole',
    headers: () => ({ range: 'bytes=1-2' }),
    status: 206,
    ranges: () => [[1, 2]],
    fields: (f) => ({
      etag: f.tag,
      'last-modified': f.modified,
      'cache-control': 'private, no-cache',
      'content-range': `bytes 1-2/${f.size}`,
      'content-length': '2',
      'repr-digest': `md5=:${md5Of(f).toString('base64')}:`,
      'content-md5': undefined,
    }),
  },
  whole('14.2: another unit is ignored', () => ({ range: 'rows=0-1' })),
  whole('14.1.1: last before first is invalid', () => ({ range: 'bytes=5-2' })),
  whole('14.1.1: no number is invalid', () => ({ range: 'bytes=-' })),
  whole('14.1.1: one bad range spoils the header', () => ({ range: 'bytes=0-1,x-y' })),
  {
    what: '14.2: HEAD knows no Range',
    method: 'HEAD',
    headers: () => ({ range: 'bytes=0-0' }),
    status: 200,
  },
  {
    what: '15.5.17: beyond the file is 416 with the size',
    headers: (f) => ({ range: `bytes=${f.size}-` }),
    status: 416,
    fields: (f) => ({ 'content-range': `bytes */${f.size}` }),
  },
  {
    what: '15.5.17: a suffix of nothing is 416',
    headers: () => ({ range: 'bytes=-0' }),
    status: 416,
    fields: (f) => ({ 'content-range': `bytes */${f.size}`, etag: undefined }),
  },
  {
    what: '15.5.17: several ranges, all beyond, are 416',
    headers: (f) => ({ range: `bytes=${f.size}-,-0` }),
    status: 416,
    fields: (f) => ({ 'content-range': `bytes */${f.size}` }),
  },
  // 14.6, 15.3.7.2 several ranges
  part('15.3.7.2: two ranges', 'bytes=0-9,300-309', () => [
    [0, 9],
    [300, 309],
  ]),
  part('15.3.7.2: in the order asked', 'bytes=300-309,0-9', () => [
    [300, 309],
    [0, 9],
  ]),
  part('15.3.7.2: first and last byte', 'bytes=0-0,-1', (f) => [
    [0, 0],
    [f.size - 1, f.size - 1],
  ]),
  part('15.3.7.2: an open one among them', `bytes=0-9,${MIDDLE}-`, (f) => [
    [0, 9],
    [MIDDLE, f.size - 1],
  ]),
  part(
    '15.3.7.2: across the middle and the end',
    (f) => `${around(f).range},-3`,
    (f) => [around(f).span, [f.size - 3, f.size - 1]],
  ),
  part('15.3.7.2: ten ranges', `bytes=${tens().map((r) => r.join('-'))}`, () => tens()),
  part('15.3.7.2: only one is left, and is no multipart', 'bytes=0-9,99999999-', () => [[0, 9]]),
  part('15.3.7.2: overlapping ones become one', 'bytes=0-99,50-149', () => [[0, 149]]),
  part('15.3.7.2: nearly touching ones become one', 'bytes=0-9,20-29', () => [[0, 29]]),
  {
    what: '15.3.7.2: the answer with several ranges has no Content-Range of its own',
    headers: () => ({ range: 'bytes=0-9,300-309' }),
    status: 206,
    ranges: () => [
      [0, 9],
      [300, 309],
    ],
    fields: (f) => ({ 'content-range': undefined, etag: f.tag, 'accept-ranges': 'bytes' }),
  },
  whole('14.2, 17.15: too many overlaps', () => ({ range: 'bytes=0-,0-,0-,0-' })),
  whole('14.2, 17.15: too many ranges', () => ({ range: `bytes=${'0-0,'.repeat(33)}` })),
  whole('14.2, 17.15: too much disorder', () => ({ range: 'bytes=900-,600-601,300-301,0-1' })),
  // 13.1.5 If-Range
  ...[(f: Known) => f.tag, (f: Known) => f.modified, (f: Known) => rfc850(f.modified)].map(
    (validator, at): Case => ({
      what: `13.1.5: a range if the file is the same (${['tag', 'date', 'RFC 850'][at]})`,
      headers: (f) => ({ range: 'bytes=1-2', 'if-range': validator(f) }),
      status: 206,
      ranges: () => [[1, 2]],
    }),
  ),
  whole('13.1.5: else all of it', () => ({ range: 'bytes=1-2', 'if-range': OTHER })),
  whole('13.1.5: it compares strongly', (f) => ({ range: 'bytes=1-2', 'if-range': `W/${f.tag}` })),
  whole('13.1.5: an older date', (f) => ({ range: 'bytes=1-2', 'if-range': f.before })),
  whole('13.1.5: a later date', (f) => ({ range: 'bytes=1-2', 'if-range': f.after })),
  whole('13.1.5: nonsense', () => ({ range: 'bytes=1-2', 'if-range': 'x' })),
  whole('13.1.5: else also what would be 416', (f) => ({
    range: `bytes=${f.size}-`,
    'if-range': OTHER,
  })),
  whole('13.1.5: If-Range without Range counts for nothing', () => ({ 'if-range': OTHER })),
  {
    what: 'RFC 9530, 4: a client may refuse MD5',
    headers: () => ({ 'want-repr-digest': 'sha-256=5, md5=0' }),
    status: 200,
    fields: () => ({ 'repr-digest': undefined }),
  },
  {
    what: 'RFC 9530, 3: a client may ask for the digest of the content',
    headers: () => ({ 'want-content-digest': 'md5=1' }),
    status: 200,
    fields: (f) => ({ 'content-digest': `md5=:${md5Of(f).toString('base64')}:` }),
  },
]

/** Ranges of one byte, a hundred bytes apart. */
function tens(): [number, number][] {
  return Array.from({ length: 10 }, (_, at) => [at * 100, at * 100])
}

/** Across the end of the first row, where there is one. */
function around(file: Known): { range: string; span: [number, number] } {
  const middle = file.size > 1_048_576 ? 1_048_576 : MIDDLE
  return { range: `bytes=${middle - 3}-${middle + 2}`, span: [middle - 3, middle + 2] }
}

function md5Of(file: Known): Buffer {
  return Buffer.from(file.tag.slice(1, -1), 'hex')
}

export function rfc850(date: string): string {
  const [, , day, month, year, time] = /^(\w+), (\d\d) (\w+) \d\d(\d\d) (\S+) GMT$/.exec(date)!
  const name = new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' })
  return `${name.format(Date.parse(date))}, ${day}-${month}-${year} ${time} GMT`
}

export function asctime(date: string): string {
  const [, name, day, month, year, time] = /^(\w+), (\d\d) (\w+) (\d{4}) (\S+) GMT$/.exec(date)!
  return `${name} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`
}
