// The cases of rfc-9110.test.ts that write, and the addresses that files have: what is asked and
// what is answered. Knows no gateway.
import { createHash } from 'node:crypto'
import { OTHER } from './rfc-9110-cases.ts'

/** What a file holds before a case, and what a case would make of it. */
export const OLD = 'the file as it is'
export const NEW = 'the file as it would be'

const digest = (hash: string, text: string) => createHash(hash).update(text).digest('base64')
const tag = `"${createHash('md5').update(OLD).digest('hex')}"`
const past = 'Sun, 06 Nov 1994 08:49:37 GMT'
const future = 'Fri, 31 Dec 2100 23:59:59 GMT'

export type WriteCase = [
  what: string,
  method: 'PUT' | 'DELETE',
  isThere: boolean,
  headers: Record<string, string>,
  status: number,
]

export const writes: WriteCase[] = [
  ['9.3.4: a new file', 'PUT', false, {}, 201],
  ['9.3.4: a file is replaced', 'PUT', true, {}, 200],
  ['9.3.5: a file is deleted', 'DELETE', true, {}, 204],
  ['9.3.5: none is there', 'DELETE', false, {}, 404],
  ['13.1.1: the tag', 'PUT', true, { 'if-match': tag }, 200],
  ['13.1.1: any', 'PUT', true, { 'if-match': '*' }, 200],
  ['13.1.1: another tag', 'PUT', true, { 'if-match': OTHER }, 412],
  ['13.1.1: a weak tag', 'PUT', true, { 'if-match': `W/${tag}` }, 412],
  ['13.1.1: any, and none is there', 'PUT', false, { 'if-match': '*' }, 412],
  ['13.1.1: the tag, and none is there', 'PUT', false, { 'if-match': tag }, 412],
  ['13.1.1: what is no tag', 'PUT', true, { 'if-match': tag.slice(1, -1) }, 400],
  ['13.1.1: the tag', 'DELETE', true, { 'if-match': tag }, 204],
  ['13.1.1: any', 'DELETE', true, { 'if-match': '*' }, 204],
  ['13.1.1: another tag', 'DELETE', true, { 'if-match': OTHER }, 412],
  ['13.2.1: 404 before a condition', 'DELETE', false, { 'if-match': '*' }, 404],
  ['13.1.2: none', 'PUT', false, { 'if-none-match': '*' }, 201],
  ['13.1.2: none, and one is there', 'PUT', true, { 'if-none-match': '*' }, 412],
  ['13.1.2: not the tag', 'PUT', true, { 'if-none-match': tag }, 412],
  ['13.1.2: not the tag, weakly', 'PUT', true, { 'if-none-match': `W/${tag}` }, 412],
  ['13.1.2: not another', 'PUT', true, { 'if-none-match': OTHER }, 200],
  ['13.1.2: not another, and none is there', 'PUT', false, { 'if-none-match': OTHER }, 201],
  ['13.1.2: what is no tag', 'PUT', true, { 'if-none-match': 'abc' }, 400],
  ['13.1.2: not the tag', 'DELETE', true, { 'if-none-match': tag }, 412],
  ['13.1.2: not another', 'DELETE', true, { 'if-none-match': OTHER }, 204],
  ['13.1.2: none', 'DELETE', true, { 'if-none-match': '*' }, 412],
  ['13.1.3: If-Modified-Since is for reading', 'PUT', true, { 'if-modified-since': future }, 200],
  ['13.1.4: unmodified', 'PUT', true, { 'if-unmodified-since': future }, 200],
  ['13.1.4: modified', 'PUT', true, { 'if-unmodified-since': past }, 412],
  ['13.1.4: modified', 'DELETE', true, { 'if-unmodified-since': past }, 412],
  ['13.1.4: what is no date', 'PUT', true, { 'if-unmodified-since': 'x' }, 200],
  [
    '13.2.2: If-Match before If-Unmodified-Since',
    'PUT',
    true,
    { 'if-match': tag, 'if-unmodified-since': past },
    200,
  ],
  [
    '13.2.2: If-Match before If-None-Match',
    'PUT',
    true,
    { 'if-match': OTHER, 'if-none-match': OTHER },
    412,
  ],
  ['14.4: no partial PUT', 'PUT', true, { 'content-range': 'bytes 0-3/100' }, 400],
  ['14.2: Range is for reading', 'PUT', true, { range: 'bytes=0-0' }, 200],
  ['8.4: no content codings', 'PUT', true, { 'content-encoding': 'gzip' }, 415],
  ['RFC 1864: the MD5', 'PUT', true, { 'content-md5': digest('md5', NEW) }, 200],
  ['RFC 1864: another MD5', 'PUT', true, { 'content-md5': digest('md5', OLD) }, 422],
  ['9530: the SHA-256', 'PUT', true, { 'repr-digest': `sha-256=:${digest('sha256', NEW)}:` }, 200],
  ['9530: another', 'PUT', true, { 'repr-digest': `sha-256=:${digest('sha256', OLD)}:` }, 422],
  ['9530: content', 'PUT', true, { 'content-digest': `sha-512=:${digest('sha512', NEW)}:` }, 200],
  ['9530: another', 'PUT', true, { 'content-digest': `sha-512=:${digest('sha512', OLD)}:` }, 422],
  ['9530: the MD5', 'PUT', true, { 'content-digest': `md5=:${digest('md5', OLD)}:` }, 422],
  ['9530: what is none', 'PUT', true, { 'content-digest': 'sha-256=abc' }, 400],
]

/** Targets below `/files/`, byte for byte, and the name they mean; undefined: refused with 400. */
export const targets: [target: string, name: string | undefined][] = [
  ['plain', 'plain'],
  ['%70l%61in', 'plain'],
  ['folder/file', 'folder/file'],
  ['folder%2Ffile', 'folder/file'],
  ['folder%2ffile', 'folder/file'],
  ['a%252Fb', 'a%2Fb'],
  ['a+b', 'a+b'],
  ['a%20b', 'a b'],
  ['a;b=c,d', 'a;b=c,d'],
  ['a?x=/y', 'a'],
  ['a%3Fb%23c', 'a?b#c'],
  ['%C3%A9', '\u00e9'],
  ['e%CC%81', '\u00e9'],
  ['%F0%9F%98%80.bin', '😀.bin'],
  ['line%0Abreak', 'line\nbreak'],
  ['...', '...'],
  ['.hidden', '.hidden'],
  ['', undefined],
  ['a/', undefined],
  ['a%2F', undefined],
  ['/a', undefined],
  ['a//b', undefined],
  ['.', undefined],
  ['..', undefined],
  ['a/../b', undefined],
  ['a/%2e%2e/b', undefined],
  ['a%2F..%2Fb', undefined],
  ['./a', undefined],
  ['%', undefined],
  ['%4', undefined],
  ['%zz', undefined],
  ['%u00e9', undefined],
  ['%C3', undefined],
  ['%FF', undefined],
  ['%C0%AF', undefined],
  ['%ED%A0%80', undefined],
  // RFC 3986: bytes beyond ASCII stand in no address unencoded.
  ['\xc3\xa9', undefined],
  ['\xe9', undefined],
  ['%00', undefined],
  ['a%1Fb', undefined],
  ['x'.repeat(1025), undefined],
]
