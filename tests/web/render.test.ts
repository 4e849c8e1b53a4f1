// The built page, every kind in every state of the nodes: whole documents that need no script,
// pass a strict policy, and hold what users wrote as text. The build is `npm run build`'s, made
// before the tests.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { assetPaths } from '../../web/assets.ts'
import type { Page, PageFile, PageNode } from '../../web/page.ts'
import { copiesOnNodes } from '../../web/ring.ts'

const dist = new URL('../../web/dist/', import.meta.url)
const renderer = new URL('server/render.js', dist)
const skip = existsSync(renderer) ? false : 'the page is not built'

const HTML_LIMIT_BYTES = 12 * 1024
const CSS_LIMIT_BYTES = 6 * 1024

const assets = {
  ...{ script: '/assets/a.js', style: '/assets/s.css' },
  icon: '/assets/i.svg',
}
const EVIL = '"><script>alert(1)</script><!-- &amp; {@html x} \' --> .txt'

function nodes(up: string): PageNode[] {
  return [...up].map((digit, index) => ({ name: `DFS${index + 1}`, isUp: digit === '1' }))
}

function file(name: string, more: Partial<PageFile> = {}): PageFile {
  const whole = { copies: 255, state: 'complete' as const, missingParts: [], missingNodes: [] }
  return {
    name,
    sizeBytes: 4_823_112,
    modifiedMs: Date.UTC(2026, 10, 22, 9, 26),
    ...whole,
    ...more,
  }
}

type FilesPage = Extract<Page, { kind: 'files' }>

function listing(more: Partial<FilesPage> = {}): FilesPage {
  return {
    ...{ kind: 'files', base: '', assets, user: 'alice', nodes: nodes('1111') },
    ...{ files: [file('a.txt')], folders: [], folder: '', search: '', sort: 'name' },
    ...{ isDescending: false, total: { fileCount: 1, sizeBytes: 4_823_112 } },
    ...{ page: 1, hasNext: false, origin: 'https://files.example' },
    ...more,
  }
}

const frame = { base: '', assets, user: 'alice', nodes: nodes('1011') }
const pages: Record<string, Page> = {
  listing: listing({ files: [file('a.txt'), file(EVIL)] }),
  'listing of a folder': listing({
    folder: `a/${EVIL}/`,
    files: [file(`a/${EVIL}/b`)],
    folders: [{ prefix: `a/${EVIL}/${EVIL}/`, fileCount: 1, sizeBytes: 0 }],
    page: 2,
    hasNext: true,
    notice: { kind: 'deleted', name: EVIL },
  }),
  'listing after a rename': listing({ notice: { kind: 'renamed', name: EVIL, to: EVIL } }),
  rename: { ...frame, kind: 'rename', name: EVIL, to: EVIL, isTaken: false },
  'rename to a name that is taken': {
    ...{ ...frame, nodes: nodes('1111'), kind: 'rename', name: `${EVIL}/`, to: EVIL },
    ...{ isTaken: true, notice: { kind: 'bad', text: EVIL } },
  },
  account: { ...frame, kind: 'account', notice: { kind: 'bad', text: EVIL } },
  'empty listing': listing({ files: [], total: { fileCount: 0, sizeBytes: 0 } }),
  search: listing({ files: [], search: EVIL }),
  'sign-in': {
    ...{ kind: 'sign-in', base: '', assets, nodes: [], next: EVIL, lastUser: EVIL },
    notice: { kind: 'bad', text: "That name and password don't match." },
  },
  'delete page': { kind: 'delete', ...frame, file: file(EVIL) },
  message: message({ text: EVIL, stored: [EVIL], task: { kind: 'upload', folder: `${EVIL}/` } }),
}

function message(more: Partial<Extract<Page, { kind: 'message' }>> = {}): Page {
  const failed = { status: 404, code: 'FILE_NOT_FOUND', text: 'No.', hint: 'Look.', stored: [] }
  return { kind: 'message', ...frame, ...failed, ...more }
}

async function html(page: Page): Promise<string> {
  const { renderPage } = (await import(renderer.href)) as { renderPage: (page: Page) => string }
  return renderPage(page)
}

/** The text of the notice that a listing shows. */
async function noticeOf(notice: NonNullable<Page['notice']>): Promise<string> {
  const [, text = ''] = /id="notice">.*?<p>([\s\S]*?)<\/p>/.exec(await html(listing({ notice })))!
  return text.replaceAll(/<[^>]+>/g, '').trim()
}

/** The row of the only file of a listing. */
async function rowOf(page: FilesPage): Promise<string> {
  return /<tbody[\s\S]*<\/tbody>/.exec(await html(page))?.[0] ?? ''
}

describe('the built page', { skip }, () => {
  for (const [kind, page] of Object.entries(pages)) {
    test(`as ${kind} is a whole document with no script or style written into it`, async () => {
      const text = await html(page)
      assert.match(text, /^<!doctype html>\n<html lang="en"( data-base=""( data-user="alice")?)?>/)
      assert.match(text, /<\/html>\n$/)
      assert.equal(text.match(/<h1\b/g)?.length, 1, 'one h1')
      assert.equal(text.match(/<main\b/g)?.length, 1, 'one main')
      assert.equal(text.match(/<title>[^<]+ – Fourfold<\/title>/g)?.length, 1)
      const isTakenOver = page.kind === 'files' || page.kind === 'sign-in'
      const rest = text.replace('<script type="module" src="/assets/a.js"></script>\n', '')
      assert.equal(rest !== text, isTakenOver, 'the app takes over listing and sign-in alone')
      assert.doesNotMatch(rest, /<script|<style|<!--|\sstyle=|\son[a-z]+=/)
      assert.doesNotMatch(text, /undefined|\[object|NaN/)
      const ids = [...text.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id)
      assert.equal(new Set(ids).size, ids.length, 'ids are unique')
      for (const [, wanted] of text.matchAll(/\s(?:for|aria-describedby)="([^"]*)"/g)) {
        for (const id of wanted!.split(' ')) assert.ok(ids.includes(id), `#${id} exists`)
      }
    })
  }

  test('shows what users wrote as they wrote it', async () => {
    const text = await html(pages.message!)
    const escaped = EVIL.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    assert.ok(text.includes(`${escaped} Look.</p>`), text)
    assert.ok(text.includes(`<li><bdi class="name">${escaped}</bdi></li>`), text)
  })

  test('tells what was stored and what was deleted in a sentence', async () => {
    const stored = { kind: 'stored', fileCount: 1200, sizeBytes: 3_145_728 } as const
    assert.match(await noticeOf(stored), /^1,200 files, 3\.1 MB, on all four nodes\.$/)
    const one = { kind: 'stored', fileCount: 1, sizeBytes: 0 } as const
    assert.match(await noticeOf(one), /^1 file, 0 B, on all four nodes\.$/)
    assert.equal(await noticeOf({ kind: 'deleted', name: 'a\u202Eb' }), 'a\\u202eb is deleted.')
  })

  test('leads to the hundreds beside this one, in the same order', async () => {
    const view = { folder: 'a b/', sort: 'size', isDescending: true } as const
    const links = async (more: Partial<FilesPage>) => {
      const text = await html(listing({ ...view, base: '/store', ...more }))
      const found = text.matchAll(/rel="(prev|next)" href="([^"]*)"/g)
      return [...found].map(([, rel, href]) => [rel, href!.replaceAll('&amp;', '&')])
    }
    const address = '/store/?folder=a%20b%2F&sort=size&dir=desc'
    assert.deepEqual(await links({ page: 2, hasNext: true }), [
      ['prev', address],
      ['next', `${address}&page=3`],
    ])
    assert.deepEqual(await links({ page: 3 }), [['prev', `${address}&page=2`]])
    assert.deepEqual(await links({}), [])
  })

  test('says which files of a form are stored, up to a bound', async () => {
    const stored = Array.from({ length: 23 }, (_, index) => `${index}.txt`)
    const text = await html(message({ task: { kind: 'upload', folder: 'a b/' }, stored }))
    assert.match(text, /<h1>Not all files were uploaded<\/h1>/)
    assert.match(text, /23 files are stored all the same:/)
    assert.match(text, /19\.txt<\/bdi><\/li>\s*<li>and 3 more files<\/li>/)
    assert.match(text, /href="\/\?folder=a%20b%2F">Back</)
  })

  test('links to files and asks before it deletes, with names that need care', async () => {
    const row = await rowOf(listing({ base: '/store', files: [file('x/100%2F\n.txt')] }))
    assert.ok(row.includes('href="/store/files/x/100%252F%0A.txt"'), row)
    assert.ok(row.includes('href="/store/delete?name=x%2F100%252F%0A.txt"'), row)
    assert.ok(row.includes('<bdi class="name">x/100%2F↵.txt</bdi>'), row)
    assert.ok(row.includes('<time datetime="2026-11-22T09:26:00.000Z">2026-11-22 09:26</time>'))
  })

  test('gives no link to a file that cannot be read, and says why', async () => {
    const lost = file('a.txt', {
      copies: copiesOnNodes([true, true, false, false]),
      state: 'insufficient',
      missingParts: [4],
      missingNodes: ['DFS3', 'DFS4'],
    })
    const row = await rowOf(listing({ nodes: nodes('1100'), files: [lost] }))
    assert.doesNotMatch(row, /href="\/files/)
    assert.match(row, /title="Part 4 is out of reach\. [^"]+DFS3 or DFS4\."/)
    assert.match(row, /Needs DFS3 or DFS4/)
  })

  test('takes uploads only while all nodes are up', async () => {
    const button = /<button class="button primary"[^>]*>Upload<\/button>/
    assert.doesNotMatch(button.exec(await html(listing()))?.[0] ?? 'disabled', /disabled/)
    for (const up of ['0111', '1010', '1100', '0000']) {
      assert.match(button.exec(await html(listing({ nodes: nodes(up) })))?.[0] ?? '', /disabled/)
    }
  })

  test('shows the way from a terminal into this folder, while it can be gone', async () => {
    const empty = { files: [], total: { fileCount: 0, sizeBytes: 0 } }
    // Words that stay together on a narrow screen stand in a span.
    const text = (await html(listing({ ...empty, folder: "o'n a/" }))).replaceAll(/<\/?span>/g, '')
    assert.match(text, /curl -u alice -F file/)
    assert.match(text, /-F file=@notes\.txt 'https:\/\/[^<]*\?folder=o'\\''n%20a%2F'<\/code>/)
    assert.doesNotMatch(await html(listing({ ...empty, nodes: nodes('1101') })), /curl/)
  })

  test('reports a warning as a status and a loss as an alert', async () => {
    assert.doesNotMatch(await html(listing()), /role="(status|alert)"/)
    assert.match(await html(listing({ nodes: nodes('1101') })), /role="status"/)
    assert.match(await html(listing({ nodes: nodes('1100') })), /role="alert"/)
  })

  test('names the sorted column and turns its order around', async () => {
    const text = await html(listing({ sort: 'size', isDescending: true }))
    assert.match(text, /aria-sort="descending"><a href="\/\?sort=size&(amp;)?dir=asc">Size/)
    assert.match(text, /href="\/\?sort=modified&(amp;)?dir=desc">Modified/)
    assert.match(text, /href="\/">Name/)
    assert.equal(text.match(/aria-sort/g)?.length, 1)
  })

  test('stays small: a page of a hundred files, and the style sheet', async () => {
    const files = Array.from({ length: 100 }, (_, index) => {
      const seed = (index * 2_654_435_761) >>> 0
      const modifiedMs = Date.UTC(2026, 10, 22) - seed
      return file(`report-${seed.toString(36)}.pdf`, { sizeBytes: seed, modifiedMs })
    })
    const text = await html(listing({ files, hasNext: true }))
    assert.ok(gzipSync(text).length <= HTML_LIMIT_BYTES, `${gzipSync(text).length} bytes`)
    const manifest = readFileSync(new URL('client/.vite/manifest.json', dist), 'utf8')
    const built = assetPaths(manifest, '/store')
    for (const path of Object.values(built)) {
      assert.match(path, /^\/store\/assets\/.+-[\w-]{8}\.(js|css|svg|woff2)$/)
    }
    const style = readFileSync(new URL(`client${built.style.slice('/store'.length)}`, dist))
    assert.ok(gzipSync(style).length <= CSS_LIMIT_BYTES, `${gzipSync(style).length} bytes`)
    assert.doesNotMatch(style.toString(), /url\(["']?(data|https?):/)
  })
})

test('a manifest of another build is refused with a sentence', () => {
  assert.throws(() => assetPaths('{}', ''), /The web build has no script: run npm run build\./)
})
