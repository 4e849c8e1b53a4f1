// The sentences of the page: banners for every set of nodes, and the word beside every ring.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bannerText } from '../../web/banner.ts'
import type { PageFile, PageNode } from '../../web/page.ts'
import { copiesOnNodes } from '../../web/ring.ts'
import { canDelete, canUpload, copiesWord, whyUnreadable } from '../../web/words.ts'

function nodes(up: string): PageNode[] {
  return [...up].map((digit, index) => ({ name: `DFS${index + 1}`, isUp: digit === '1' }))
}

const refused =
  'Uploads are refused until all four nodes are up; nothing you send now would be kept.'
const open = 'Every file can still be opened and downloaded.'
const read = 'Every file can still be read, from its last copy.'
const one = 'One part of every file is out of reach.'
const two = 'Two parts of every file are out of reach.'
const again = 'Nothing is lost: files open again as soon as'

const banners: [up: string, level: string, sentence: string][] = [
  ['0111', 'warn', `DFS1 is not answering. ${open} ${refused}`],
  ['1011', 'warn', `DFS2 is not answering. ${open} ${refused}`],
  ['1101', 'warn', `DFS3 is not answering. ${open} ${refused}`],
  ['1110', 'warn', `DFS4 is not answering. ${open} ${refused}`],
  ['0101', 'warn', `DFS1 and DFS3 are not answering. ${read} ${refused}`],
  ['1010', 'warn', `DFS2 and DFS4 are not answering. ${read} ${refused}`],
  ['0011', 'bad', `DFS1 and DFS2 are not answering. ${one} ${again} either node is back.`],
  ['1001', 'bad', `DFS2 and DFS3 are not answering. ${one} ${again} either node is back.`],
  ['1100', 'bad', `DFS3 and DFS4 are not answering. ${one} ${again} either node is back.`],
  ['0110', 'bad', `DFS1 and DFS4 are not answering. ${one} ${again} either node is back.`],
  [
    '1000',
    'bad',
    `DFS2, DFS3 and DFS4 are not answering. ${two} ${again} DFS3 is back, ` +
      'or DFS2 and DFS4 are back.',
  ],
  [
    '0100',
    'bad',
    `DFS1, DFS3 and DFS4 are not answering. ${two} ${again} DFS4 is back, ` +
      'or DFS1 and DFS3 are back.',
  ],
  [
    '0010',
    'bad',
    `DFS1, DFS2 and DFS4 are not answering. ${two} ${again} DFS1 is back, ` +
      'or DFS2 and DFS4 are back.',
  ],
  [
    '0001',
    'bad',
    `DFS1, DFS2 and DFS3 are not answering. ${two} ${again} DFS2 is back, ` +
      'or DFS1 and DFS3 are back.',
  ],
  [
    '0000',
    'bad',
    'None of the four nodes is answering. No file can be listed or opened. ' +
      `${again} DFS1 and DFS3 are back, or DFS2 and DFS4 are back.`,
  ],
]

describe('the banner', () => {
  test('says nothing while all nodes are up', () => {
    assert.equal(bannerText(nodes('1111')), undefined)
  })

  test('says nothing where nothing is known of the nodes', () => {
    assert.equal(bannerText([]), undefined)
  })

  for (const [up, level, sentence] of banners) {
    test(`says what is true, what works and what comes next with nodes ${up} up`, () => {
      const banner = bannerText(nodes(up))
      assert.equal(`${banner?.lead} ${banner?.rest}`, sentence)
      assert.equal(banner?.level, level)
    })
  }

  test('names nodes after which files do open again', () => {
    for (const [up, , sentence] of banners) {
      const cure = / as soon as (?!either)(.+)\.$/.exec(sentence)?.[1]
      for (const way of cure?.split(', or ') ?? []) {
        const back = nodes(up).map(({ name, isUp }) => ({ name, isUp: isUp || way.includes(name) }))
        assert.notEqual(bannerText(back)?.level, 'bad', `${up}: ${way}`)
      }
    }
  })
})

describe('what the page offers', () => {
  test('is uploading with all four nodes up, deleting with three', () => {
    for (const [up] of banners) {
      assert.equal(canUpload(nodes(up)), false)
      assert.equal(canDelete(nodes(up)), up.replaceAll('0', '').length >= 3)
    }
    assert.ok(canUpload(nodes('1111')) && canDelete(nodes('1111')))
  })
})

function file(more: Partial<PageFile>): PageFile {
  const whole = { copies: 255, state: 'complete' as const, missingParts: [], missingNodes: [] }
  return { name: 'a', sizeBytes: 1, modifiedMs: 0, ...whole, ...more }
}

/** A wholly kept file while these nodes are up; its first missing quarter carries part 2. */
function away(up: string, missingParts: number[]): PageFile {
  const isUp = nodes(up).map((node) => node.isUp)
  const missingNodes = nodes(up).flatMap(({ name, isUp }) => (isUp ? [] : [name]))
  return file({ copies: copiesOnNodes(isUp), state: 'insufficient', missingParts, missingNodes })
}

describe('the word beside the ring', () => {
  const words: [what: string, up: string, file: PageFile, word: string, why: string | undefined][] =
    [
      ['all copies are there', '1111', file({}), '2 copies', undefined],
      [
        'a copy is missing',
        '1011',
        file({ state: 'degraded', copies: 0b1111_1001 }),
        '1 copy left',
        undefined,
      ],
      [
        'two neighbours are down',
        '1100',
        away('1100', [4]),
        'Needs DFS3 or DFS4',
        'Part 4 is out of reach. The file opens again with DFS3 or DFS4.',
      ],
      [
        'only one of the two had a copy',
        '1100',
        { ...away('1100', [4]), missingNodes: ['DFS4'] },
        'Needs DFS4',
        'Part 4 is out of reach. The file opens again with DFS4.',
      ],
      [
        'three nodes are down',
        '1000',
        away('1000', [3, 4]),
        'Needs DFS3, or DFS2 and DFS4',
        'Parts 3 and 4 are out of reach. The file opens again with DFS3, or DFS2 and DFS4.',
      ],
      [
        'all nodes are down',
        '0000',
        away('0000', [1, 2, 3, 4]),
        'Needs DFS1 and DFS3, or DFS2 and DFS4',
        'Parts 1, 2, 3 and 4 are out of reach. ' +
          'The file opens again with DFS1 and DFS3, or DFS2 and DFS4.',
      ],
      [
        'both copies of a part are gone',
        '1111',
        file({ state: 'insufficient', copies: 0b1111_0011, missingParts: [2] }),
        'Part 2 missing',
        'Part 2 has no copy left on any node: the file cannot be opened.',
      ],
      [
        'two parts are gone',
        '1111',
        file({ state: 'insufficient', copies: 0b1100_0011, missingParts: [2, 3] }),
        'Parts 2 and 3 missing',
        'Parts 2 and 3 have no copy left on any node: the file cannot be opened.',
      ],
      [
        'one part is gone and one is away: no node brings the file back',
        '1100',
        file({
          state: 'insufficient',
          copies: 0b0100_0010,
          missingParts: [2, 3],
          missingNodes: ['DFS4'],
        }),
        'Parts 2 and 3 missing',
        'Parts 2 and 3 have no copy left on any node: the file cannot be opened.',
      ],
    ]

  for (const [what, up, file, word, why] of words) {
    test(`is "${word}" where ${what}`, () => {
      assert.equal(copiesWord(file, nodes(up)), word)
      assert.equal(whyUnreadable(file, nodes(up)), why)
    })
  }
})
