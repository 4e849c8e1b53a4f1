// The house rules that a machine can check: who may import whom, sizes, first sentences, words, doc
// comments, and that the protocol's page names every error. A failure names file and line.
import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { test } from 'node:test'
import { codes } from '@fourfold/storage-node/protocol'
import {
  declaredNamesOf,
  importsOf,
  innerGeneratorsOf,
  readSources,
  type Source,
  undocumentedFunctionsOf,
} from './support/sources.ts'

const MAX_LINES = 400
const MAX_COMPONENT_LINES = 200
const MAX_COLUMNS = 100
const MAX_PROSE_COLUMNS = 120
const PROTOCOL_PAGE = 'storage-node/protocol/README.md'

/**
 * Who may know whom. The first room that a file's path begins with is its own; `mayImport` are the
 * only modules it may take: paths of this repository, names of packages, or kinds (`node:`). No
 * `mayImport`: whatever `mayNotImport` does not name. A room may always import itself.
 */
const rooms: { room: string; mayImport?: string[]; mayNotImport?: string[] }[] = [
  {
    room: 'storage-node/protocol/',
    mayImport: ['node:', 'cborg'],
    mayNotImport: ['node:net', 'node:tls', 'node:fs', 'node:sqlite'],
  },
  {
    room: 'storage-node/',
    mayNotImport: [
      ...['gateway/', 'web/', 'fastify', '@fastify', 'undici'],
      ...['node:http', 'node:https', 'node:http2'],
    ],
  },
  {
    room: 'conf/',
    mayImport: ['node:', 'smol-toml', 'toml-eslint-parser', 'storage-node/protocol/'],
    mayNotImport: ['node:net', 'node:tls', 'node:http'],
  },
  {
    room: 'gateway/dfs/',
    mayNotImport: [
      ...['fastify', '@fastify', 'undici', 'node:http', 'node:https', 'node:http2'],
      ...['gateway/http/', 'gateway/bin/', 'web/', 'storage-node/'],
    ],
  },
  {
    room: 'gateway/http/',
    mayNotImport: ['node:net', 'node:tls', 'gateway/bin/', 'storage-node/'],
  },
  {
    room: 'gateway/dfc/',
    mayNotImport: ['fastify', '@fastify', 'gateway/http/', 'web/', 'storage-node/'],
  },
  { room: 'gateway/', mayNotImport: ['storage-node/'] },
  {
    room: 'web/',
    mayNotImport: ['storage-node/', 'gateway/', 'conf/', 'node:net', 'node:tls'],
  },
]

/** What the gateway may know of the storage node, by its package name only. */
const CONTRACT = '@fourfold/storage-node/protocol'

/**
 * Words with a better word of ours (DESIGN, "Words"). Checked in the names that files, style sheets
 * and code declare: CSS's `display: block`, node:util and other people's names stay as they are.
 * `chunk` may name the variable that a stream hands over, and nothing else.
 */
const AVOIDED = /^(manager|helper|util|utility|utilitie|shard|stripe|fragment|block|chunk)s?$/

/** A link, or a sentence in quotes, that could only be wrapped by taking it apart. */
const UNBREAKABLE = /https?:\/\/\S{40}|^\s*[^'"`]{0,50}(['"`]).{60,}\1[^'"`]{0,24}$/

const scripts = readSources('.ts', '.js')
const components = readSources('.svelte')
const styles = readSources('.css')
const pages = readSources('.md')
const code = [...scripts, ...components]

test('knowledge runs one way: each room imports only what it may know', () => {
  const broken: string[] = []
  for (const source of code) {
    const rule = rooms.find(({ room }) => source.path.startsWith(room))
    if (rule === undefined) continue
    for (const { name, line, isType } of importsOf(source)) {
      // The type of a socket is no socket.
      if (isType && name.startsWith('node:')) continue
      const why = refusal(rule, source.path, name)
      if (why !== undefined) broken.push(`${source.path}:${line} imports '${name}': ${why}`)
    }
  }
  none(broken)
})

test(`no file is longer than ${MAX_LINES} lines`, () => {
  none(
    [...code, ...styles]
      .filter(({ lines }) => lines.length > MAX_LINES + 1)
      .map(({ path, lines }) => `${path}:${MAX_LINES + 1} of ${lines.length - 1} lines`),
  )
})

test(`no component is longer than ${MAX_COMPONENT_LINES} lines`, () => {
  none(
    components
      .filter(({ lines }) => lines.length > MAX_COMPONENT_LINES + 1)
      .map(({ path, lines }) => `${path}:${MAX_COMPONENT_LINES + 1} of ${lines.length - 1} lines`),
  )
})

test(`no line is longer than ${MAX_COLUMNS} columns, prose ${MAX_PROSE_COLUMNS}`, () => {
  const broken = [...code, ...styles].flatMap((source) => tooLong(source, MAX_COLUMNS))
  none([
    ...broken,
    ...pages.flatMap((source) => tooLong(withoutFigures(source), MAX_PROSE_COLUMNS)),
  ])
})

test('every file begins with a sentence that says what it is for', () => {
  none(
    code
      .filter(({ text }) => !/^(\/\/|\/\*\*?|<!--)\s+\S[\s\S]*?[.:]\s/.test(opening(text)))
      .map(({ path }) => `${path}:1 begins without a comment that is a sentence`),
  )
})

test('buffers are detached in the one place of each workspace that counts their holders', () => {
  const places = ['gateway/dfs/lease.ts', 'storage-node/accepted-socket.ts']
  const detaching = code.filter(({ text }) => /\.transfer(ToFixedLength)?\(\d*\)/.test(text))
  assert.deepEqual(detaching.map(({ path }) => path).sort(), places)
})

// For each function that V8 makes anew it makes what is shared by the generators that it starts, at
// once as something old. Until the next full collection that keeps the function, and so all that it
// sees: of an upload its request and answer, which each young collection then moves on.
test('generators of the gateway are made once, not in each call', () => {
  const inGateway = scripts.filter(({ path }) => /^gateway\/(dfs|http)\//.test(path))
  none(
    inGateway.flatMap((source) =>
      innerGeneratorsOf(source).map(
        ({ name, line }) => `${source.path}:${line} makes ${name} in a function`,
      ),
    ),
  )
})

test('names use the words of the house', () => {
  const broken: string[] = []
  for (const source of code) {
    for (const { name, line } of declaredNamesOf(source)) {
      if (/^_?chunks?$/.test(name)) continue
      const word = avoidedWord(name)
      if (word !== undefined) broken.push(`${source.path}:${line} names '${name}': avoid '${word}'`)
    }
  }
  for (const { path, lines } of [...styles, ...components]) {
    for (const [index, text] of lines.entries()) {
      for (const [name] of text.matchAll(/(?<=\.)[a-z][\w-]*(?=[^;]*\{)|--[a-z][\w-]*/g)) {
        const word = avoidedWord(name)
        if (word !== undefined) broken.push(`${path}:${index + 1} names '${name}': avoid '${word}'`)
      }
    }
  }
  for (const { path } of readSources('')) {
    const word = avoidedWord(path.replaceAll('/', '-'))
    if (word !== undefined) broken.push(`${path}:1 has '${word}' in its name`)
  }
  none(broken)
})

test('nothing is left for later', () => {
  const later = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`)
  none(
    readSources('.ts', '.js', '.svelte', '.css', '.md', '.sh', '.toml', '.conf').flatMap(
      ({ path, lines }) =>
        lines.flatMap((text, index) =>
          later.test(text) ? [`${path}:${index + 1} ${text.trim()}`] : [],
        ),
    ),
  )
})

test('every exported function of the protocol and of the DFS client is documented', () => {
  none(
    scripts
      .filter(({ path }) => /^(storage-node\/protocol|gateway\/dfs)\//.test(path))
      .flatMap((source) =>
        undocumentedFunctionsOf(source).map(
          ({ name, line }) => `${source.path}:${line} exports ${name} without a doc comment`,
        ),
      ),
  )
})

test("the error table of the protocol's page says what errors.ts says, of every code", () => {
  const page = pages.find(({ path }) => path === PROTOCOL_PAGE)
  assert.ok(page, `${PROTOCOL_PAGE} is missing`)
  const from = page.lines.findIndex((line) => /^#+ .*Error codes/i.test(line))
  assert.ok(from >= 0, `${PROTOCOL_PAGE}:1 has no heading "Error codes"`)
  const length = page.lines.slice(from + 1).findIndex((line) => line.startsWith('## '))
  const table = page.lines.slice(from, length < 0 ? undefined : from + 1 + length)
  const listed = table.flatMap((text, index) => {
    const row = /^\| `([A-Z_]+)` \| (yes|no) \| .+ \| (.+) \|$/.exec(text)
    if (row === null) return []
    return [{ code: row[1]!, retry: row[2] === 'yes', hint: row[3]!, line: from + index + 1 }]
  })
  none([
    ...listed
      .filter(({ code }) => !Object.hasOwn(codes, code))
      .map(({ code, line }) => `${PROTOCOL_PAGE}:${line} lists ${code}, which errors.ts lacks`),
    ...Object.entries(codes).flatMap(([code, { retry, hint }]) => {
      const rows = listed.filter((row) => row.code === code)
      if (rows.length !== 1)
        return [`${PROTOCOL_PAGE}:${from + 1} lists ${code} ${rows.length} times`]
      const isSame = rows[0]!.retry === retry && rows[0]!.hint === hint
      return isSame ? [] : [`${PROTOCOL_PAGE}:${rows[0]!.line} disagrees with errors.ts on ${code}`]
    }),
  ])
})

function none(broken: string[]): void {
  if (broken.length > 0) assert.fail(`\n  ${broken.join('\n  ')}\n`)
}

/** Why a file in `rule.room` may not import `specifier`; undefined where it may. */
function refusal(
  rule: (typeof rooms)[number],
  path: string,
  specifier: string,
): string | undefined {
  const target = targetOf(path, specifier)
  if (target.startsWith(rule.room)) return undefined
  const isWithin = (allowed: string) =>
    allowed.endsWith('/') || allowed.endsWith(':')
      ? target.startsWith(allowed)
      : target === allowed || target.startsWith(`${allowed}/`)
  const isContract = specifier === CONTRACT
  const refused = rule.mayNotImport?.find(isWithin)
  if (refused !== undefined && !(isContract && refused === 'storage-node/')) {
    return `${rule.room} may not know ${refused}`
  }
  if (rule.mayImport !== undefined && !rule.mayImport.some(isWithin)) {
    return `${rule.room} may know ${rule.mayImport.join(', ')} only`
  }
  return undefined
}

/** A specifier as a path of this repository, or as it is where it names someone else's package. */
function targetOf(path: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(path), specifier)
  const ours = /^@fourfold\/([^/]+)(\/.*)?$/.exec(specifier)
  return ours === null ? specifier : `${ours[1]}${ours[2] ?? ''}/`
}

function tooLong({ path, lines }: Source, columns: number): string[] {
  return lines.flatMap((line, index) => {
    const width = [...line].length
    return width > columns && !UNBREAKABLE.test(line)
      ? [`${path}:${index + 1} is ${width} columns wide`]
      : []
  })
}

/** A page without its tables, code and links, whose lines cannot be wrapped. */
function withoutFigures(page: Source): Source {
  let isCode = false
  const lines = page.lines.map((line) => {
    const isFence = /^\s*(```|~~~)/.test(line)
    if (isFence) isCode = !isCode
    return isFence || isCode || line.startsWith('|') || /\]\(|<https?:/.test(line) ? '' : line
  })
  return { ...page, lines }
}

/** The text after a `#!` line, and of a component after its script tag where it begins with one. */
function opening(text: string): string {
  return text.replace(/^#!.*\n/, '').replace(/^<script[^>]*>\s*/, '')
}

/** The first avoided word in a name in camelCase, PascalCase, kebab-case or SNAKE_CASE. */
function avoidedWord(name: string): string | undefined {
  const words = name.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2').split(/[^A-Za-z]+/)
  return words.find((word) => AVOIDED.test(word.toLowerCase()))
}
