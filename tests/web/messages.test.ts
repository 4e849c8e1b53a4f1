// What message pages say: a title that a person understands for what happened, and the way back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codes } from '@fourfold/storage-node/protocol'
import {
  advice,
  backPath,
  messageAdvice,
  messageTitle,
  taskTitles,
  titles,
} from '../../web/messages.ts'
import type { Page, PageTask } from '../../web/page.ts'

type Message = Extract<Page, { kind: 'message' }>

function message(code: string, task?: PageTask, stored: string[] = []): Message {
  const assets = { script: '', style: '', icon: '' }
  return {
    ...{ kind: 'message', base: '/store', assets, nodes: [], status: 503 },
    ...{ code, text: 'Text.', hint: 'Hint.', stored },
    ...(task === undefined ? {} : { task }),
  }
}

const upload = { kind: 'upload', folder: 'a b/' } as const
const remove = { kind: 'delete', name: 'a/b/c.txt' } as const

test('titles say what happened, and of a form what that means', () => {
  assert.equal(messageTitle(message('PARTS_UNAVAILABLE')), 'This file cannot be opened now')
  assert.equal(messageTitle(message('NODES_UNAVAILABLE')), 'Too few nodes are answering')
  assert.equal(messageTitle(message('NODES_UNAVAILABLE', upload)), 'Nothing was uploaded')
  assert.equal(messageTitle(message('NODES_UNAVAILABLE', remove)), 'Nothing was deleted')
  assert.equal(messageTitle(message('FILE_NOT_FOUND', remove)), 'There is no such file')
})

test('an upload that is partly stored is never told as nothing', () => {
  for (const code of ['NODES_UNAVAILABLE', 'NAME_INVALID', 'NODE_GONE']) {
    assert.equal(messageTitle(message(code, upload, ['a'])), 'Not all files were uploaded')
  }
})

test('where the outcome is not known, no title claims one', () => {
  for (const stored of [[], ['a']]) {
    const title = messageTitle(message('OUTCOME_UNKNOWN', upload, stored))
    assert.equal(title, 'It is not certain whether that worked')
  }
})

test('a code without a title is told neutrally, with its own hint', () => {
  for (const code of ['STALE_VERSION', 'UNHEARD_OF']) {
    assert.equal(messageTitle(message(code)), 'That did not work')
    assert.equal(messageAdvice(message(code)), 'Hint.')
  }
  assert.doesNotMatch(messageAdvice(message('NOT_FOUND')), /Hint/)
})

test('every code that is named exists', () => {
  const named = [titles, advice, ...Object.values(taskTitles)].flatMap(Object.keys)
  assert.deepEqual(
    named.filter((code) => !Object.hasOwn(codes, code)),
    [],
  )
})

test('the way back leads to the folder of the form, else to all files', () => {
  assert.equal(backPath(message('BUSY', upload)), '/store/?folder=a%20b%2F')
  assert.equal(backPath(message('BUSY', remove)), '/store/?folder=a%2Fb%2F')
  assert.equal(backPath(message('BUSY', { kind: 'delete', name: 'c' })), '/store/')
  assert.equal(backPath(message('BUSY')), '/store/')
})
