// Which file names are taken, and in what form.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkFileName } from '../../../gateway/dfs/file-name.ts'

test('names that people use are taken as they are', () => {
  for (const name of [
    'a',
    '😀.bin',
    'line\nbreak',
    'tab\there',
    'Icon\r',
    '"quoted"',
    "it's",
    'a%2Fb',
    ' lead',
    'trail ',
    'docs/2026/a.pdf',
    '...',
    'a..b',
    '.hidden',
    'é'.repeat(512),
    '日本語.txt',
  ]) {
    assert.equal(checkFileName(name), name)
  }
})

test('a name in decomposed Unicode is the same file as in composed Unicode', () => {
  assert.equal(checkFileName('e\u0301'), '\u00e9')
})

test('names that climb, hide or cannot be shown are refused with the rule they break', () => {
  const table: [string, RegExp][] = [
    ['', /is empty/],
    ['a'.repeat(1025), /1025 bytes/],
    ['é'.repeat(513), /1026 bytes/],
    ['..', /segment \.\./],
    ['a/../b', /segment \.\./],
    ['./a', /segment \./],
    ['/a', /empty segment/],
    ['a/', /empty segment/],
    ['a//b', /empty segment/],
    ['nul\0', /control character/],
    ['bell\u0007', /control character/],
    ['del\u007f', /control character/],
    ['c1\u0085', /control character/],
    ['\ud800', /surrogate/],
    ['a\udc00b', /surrogate/],
  ]
  for (const [name, message] of table) {
    assert.throws(() => checkFileName(name), { code: 'NAME_INVALID', message })
  }
})
