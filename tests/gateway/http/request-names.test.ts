// Names out of addresses and forms, and the paths that a sign-in may lead to.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  folderPrefix,
  localPath,
  nameFromForm,
  nameFromTarget,
  nameToPath,
} from '../../../gateway/http/request-names.ts'

test('a name in an address is decoded once', () => {
  assert.equal(nameFromTarget('/files/a%2Fb', '/files/'), 'a/b')
  assert.equal(nameFromTarget('/files/a%252Fb?download', '/files/'), 'a%2Fb')
  assert.equal(nameFromTarget('/files/%F0%9F%98%80.bin', '/files/'), '😀.bin')
  assert.equal(nameFromTarget('/files/a+b;c', '/files/'), 'a+b;c')
})

test('the name is the same however the letters before it are written', () => {
  for (const target of ['/%66iles/a/b', '/%66%69%6C%65%73/a/b', 'http://host/f%69les/a%2Fb']) {
    assert.equal(nameFromTarget(target, '/files/'), 'a/b')
  }
  assert.equal(nameFromTarget('/%66iles/folder/', '/files/'), 'folder/')
  assert.equal(nameFromTarget('a/b%20c', ''), 'a/b c')
})

test('an address that is not UTF-8 is refused by name', () => {
  for (const target of ['/files/%E0%A4', '/files/%zz', '/files/%', '/files/%ED%A0%80']) {
    assert.throws(() => nameFromTarget(target, '/files/'), { code: 'NAME_INVALID' })
  }
})

test('any name comes back from its own address', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      return nameFromTarget(`/files/${nameToPath(name)}?x=1`, '/files/') === name
    }),
  )
})

test('a form encodes three characters in a name, and every other percent sign is itself', () => {
  assert.equal(nameFromForm('a%0Ab%0d%22c'), 'a\nb\r"c')
  assert.equal(nameFromForm('a%2Fb%20%25'), 'a%2Fb%20%25')
})

test('a folder is a prefix with one slash at its end', () => {
  const folders = [undefined, '', '/', 'a', 'a/', 'a/b']
  assert.deepEqual(folders.map(folderPrefix), ['', '', '', 'a/', 'a/', 'a/b/'])
})

test('signing in leads to a path of this site and nowhere else', () => {
  assert.equal(localPath('/files/a?download', ''), '/files/a?download')
  assert.equal(localPath('/?folder=a%2F', ''), '/?folder=a%2F')
  const foreign = [
    '//evil.example/',
    'https://evil.example/',
    '/\\evil.example',
    '/\t/evil.example',
    '/ /evil.example',
    'javascript:alert(1)',
    '',
    undefined,
    ['/a'],
    '/..//evil.example',
  ]
  for (const next of foreign) {
    const path = localPath(next, '')
    assert.ok(path.startsWith('/') && !path.startsWith('//'), `${String(next)} led to ${path}`)
    assert.doesNotMatch(path, /^\/[/\\]/)
  }
  assert.equal(localPath('/elsewhere', '/store'), '/store/')
  assert.equal(localPath('/store/files/a', '/store'), '/store/files/a')
})
