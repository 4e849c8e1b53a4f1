// Conf files: what is wrong with one is said with file, line and key; the examples work as they
// are.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { dfcConfSchema, dfsConfSchema, loadConf } from '@fourfold/conf'
import { DfsError } from '@fourfold/storage-node/protocol'

const folder = mkdtempSync(join(tmpdir(), 'fourfold-conf-'))
after(() => rmSync(folder, { recursive: true }))

const examples = new URL('../../conf/', import.meta.url).pathname

function write(text: string | Buffer, name = 'test.conf'): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

function complaint(load: () => unknown): string {
  try {
    load()
  } catch (error) {
    assert(error instanceof DfsError, String(error))
    assert.equal(error.code, 'CONF_INVALID')
    return error.message
  }
  assert.fail('The conf file was taken.')
}

const badNodeConfs: [what: string, text: string | Buffer, line: number, sentence: string][] = [
  ['a syntax error', '\nhost = \n', 2, 'this is not TOML: a value is missing after the = sign.'],
  ['an open quote', 'a = 1\nhost = "x\n\n', 2, 'this is not TOML: Unterminated string constant.'],
  ['a key given twice', 'host = "a"\nhost = "b"', 2, 'this is not TOML: '],
  ['a wrong type', '[limits]\n\nconnections = "x"', 3, 'limits.connections must be a whole number'],
  [
    'a value that is too small',
    '# x\n[limits]\nconnections = 0',
    3,
    'limits.connections must be a whole number from 1 to 1000000.',
  ],
  [
    'a value that breaks timers',
    'limits.idle_timeout_ms = 3000000000',
    1,
    'limits.idle_timeout_ms must be a whole number of at least 1.',
  ],
  [
    'a part where whole ones are due',
    'disk.reserve_bytes = 1.5',
    1,
    'disk.reserve_bytes must be a whole number of at least 0.',
  ],
  [
    'no hours',
    '\n\nstaging = { age_hours = 0 }',
    3,
    'staging.age_hours must be a number greater than 0',
  ],
  ['a date', 'host = 2026-01-01', 1, 'host must be a text in quotes, not empty.'],
  ['an empty text', 'host = ""', 1, 'host must be a text in quotes, not empty.'],
  ['a value where a table is due', 'limits = 4', 1, 'limits must be a table.'],
  [
    'a list of tables where one is due',
    '[[limits]]\nconnections = 1',
    1,
    'limits must be a table.',
  ],
  ['an unknown key', '\ncolour = "red"', 2, 'colour is not a key that this file can have.'],
  [
    'a key with a slip',
    '[limits]\nconections = 5',
    2,
    'limits.conections is not a key that this file can have. Did you mean limits.connections?',
  ],
  ['a table with a slip', '[limit]\nconnections = 5', 1, 'Did you mean limits?'],
  ['a key named __proto__', '\n[__proto__]\nhost = "x"', 2, '__proto__ is not a key'],
  ['a key named constructor', 'constructor = 1', 1, 'constructor is not a key'],
  [
    'half of a pair',
    'host = "x"\n[tls]\ncert_file = "x.pem"',
    2,
    'tls must be both cert_file and key_file, or neither.',
  ],
]

describe('a bad dfs.conf is refused with file, line and key', () => {
  for (const [what, text, line, sentence] of badNodeConfs) {
    test(what, () => {
      const file = write(text)
      const message = complaint(() => loadConf({ file, schema: dfsConfSchema }))
      assert(message.startsWith(`${file}, line ${line}: `), message)
      assert(message.includes(sentence), message)
    })
  }
})

const badClientConfs: typeof badNodeConfs = [
  ['three nodes', 'nodes = ["a:1", "b:1", "c:1"]', 1, 'nodes must be a list of exactly four'],
  ['a node twice', 'nodes = ["a:1", "b:1", "c:1", "a:1"]', 1, 'nodes must be a list of exactly'],
  [
    'a node without a port',
    'nodes = [\n "a:1",\n "b:1",\n "c",\n "d:1"]',
    4,
    'nodes.2 must be an address such as "127.0.0.1:10001".',
  ],
  ['a port above all ports', 'nodes = ["a:65536", "b:1", "c:1", "d:1"]', 1, 'nodes.0 must be an'],
  ['a port that is none', 'gateway.port = 70000', 1, 'gateway.port must be a whole number from 0'],
  ['a flag in quotes', '[gateway]\nmetrics = "no"', 2, 'gateway.metrics must be true or false.'],
  ['an address of another kind', '[gateway]\npublic_url = "x"', 2, 'gateway.public_url must be'],
  ['rounds that protect nobody', '[accounts]\nrounds = 1', 2, 'accounts.rounds must be a whole'],
]

describe('a bad dfc.conf is refused with file, line and key', () => {
  for (const [what, text, line, sentence] of badClientConfs) {
    test(what, () => {
      const file = write(text)
      const message = complaint(() => loadConf({ file, schema: dfcConfSchema }))
      assert(message.startsWith(`${file}, line ${line}: `), message)
      assert(message.includes(sentence), message)
    })
  }
})

test('a complaint does not repeat a password', () => {
  const file = write('[user]\npassword = ["hunter2!"]')
  const message = complaint(() => loadConf({ file, schema: dfcConfSchema }))
  assert(!message.includes('hunter2!'), message)
})

test('a file that is absent, a folder, or not text is told apart', () => {
  const load = (file: string) => complaint(() => loadConf({ file, schema: dfsConfSchema }))
  const absent = join(folder, 'absent.conf')
  assert.equal(load(absent), `The conf file ${absent} does not exist.`)
  assert.equal(load(folder), `The conf file ${folder} is a folder.`)
  const binary = write(Buffer.of(0xff, 0xfe, 0x00))
  assert.equal(load(binary), `The conf file ${binary} is not UTF-8 text.`)
})

test('an empty file gives every default, with paths from its own folder', () => {
  const file = write('')
  const node = loadConf({ file, schema: dfsConfSchema })
  assert.equal(node.cluster_key_file, join(folder, '../data/cluster.key'))
  assert.equal(node.host, '127.0.0.1')
  assert.equal(node.limits.connections, 4096)
  assert.equal(node.staging.sync_every_bytes, 4_194_304)
  assert.equal(node.accounts.rounds, 600_000)
  assert.equal(node.tls.cert_file, undefined)
  const client = loadConf({ file, schema: dfcConfSchema })
  assert.equal(client.nodes.length, 4)
  assert.equal(client.limits.bulk_connections, 64)
  assert.equal(client.gateway.data, join(folder, '../data'))
  assert.equal(client.user.name, undefined)
})

test('two loads share nothing', () => {
  const file = write('')
  const first = loadConf({ file, schema: dfcConfSchema })
  first.nodes[0] = 'changed:1'
  first.limits.transfers = 1
  const second = loadConf({ file, schema: dfcConfSchema })
  assert.equal(second.nodes[0], '127.0.0.1:10001')
  assert.equal(second.limits.transfers, 1024)
})

test('the examples are the defaults, word for word', () => {
  for (const [name, schema] of [
    ['dfs.conf', dfsConfSchema],
    ['dfc.conf', dfcConfSchema],
  ] as const) {
    const file = write('', name)
    const defaults = JSON.stringify(loadConf({ file, schema }), null, 1)
    const example = JSON.stringify(loadConf({ file: join(examples, name), schema }), null, 1)
    const repository = new URL('../../', import.meta.url).pathname
    assert.equal(
      example.replaceAll(repository, '/'),
      defaults.replaceAll(`${join(folder, '..')}/`, '/'),
    )
  }
})

test('a path in a conf is relative to its folder, and an absolute one stays', () => {
  const file = write('cluster_key_file = "keys/k"\n[tls]\ncert_file = "/c.pem"\nkey_file = "k.pem"')
  const conf = loadConf({ file, schema: dfsConfSchema })
  assert.equal(conf.cluster_key_file, join(folder, 'keys/k'))
  assert.equal(conf.tls.cert_file, '/c.pem')
  assert.equal(conf.tls.key_file, join(folder, 'k.pem'))
})

test('a value of the command line wins, and a complaint about it names the option', () => {
  const file = write('[gateway]\nport = 1')
  const load = (value: unknown, key = 'gateway.port') =>
    loadConf({ file, schema: dfcConfSchema, overrides: [{ key, value, from: '--port' }] })
  assert.equal(load(2).gateway.port, 2)
  const message = complaint(() => load(-1))
  assert.equal(message, '--port: gateway.port must be a whole number from 0 to 65535.')
  const nested = complaint(() => load(['a:1', 'b:1', 'c:1', 'd'], 'nodes'))
  assert(nested.startsWith('--port: nodes.3 must be'), nested)
})
