// Reads a conf file (TOML), checks it against a schema and fills in the defaults. Every complaint
// names file, line and key. Knows nothing of what a key means; dfs-conf.ts and dfc-conf.ts say
// that.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DfsError, type Shape, type Static, withDefaults } from '@fourfold/storage-node/protocol'
import { getStaticTOMLValue, ParseError, parseTOML } from 'toml-eslint-parser'
import { linesOf } from './lines.ts'
import { complaintsOf, resolvePaths, setKey, type Table } from './rules.ts'

export { readClusterKey } from './cluster-key.ts'
export { type DfcConf, dfcConfSchema } from './dfc-conf.ts'
export { type DfsConf, dfsConfSchema } from './dfs-conf.ts'

/** A value from the command line that stands in for one of the file. */
export interface Override {
  /** Dotted key, e.g. `gateway.port`. */
  key: string
  value: unknown
  /** What a complaint calls its origin, e.g. `--port`. Give paths as absolute ones. */
  from: string
}

export interface ConfOptions<T extends Shape> {
  file: string
  schema: T
  overrides?: readonly Override[]
}

/**
 * The checked content of `file`, with defaults for all that it leaves out and with absolute paths
 * for the keys that name files (`*_file`, `data`), which in the file are relative to its own
 * folder.
 * @throws DfsError CONF_INVALID: `conf/dfs.conf, line 12: limits.connections must be ...`
 */
export function loadConf<T extends Shape>(options: ConfOptions<T>): Static<T> {
  const { file, schema, overrides = [] } = options
  const { table, lines } = parse(file)
  for (const { key, value } of overrides) setKey(table, key, value)

  const placeOf = (key: string) =>
    overrides.find((override) => isWithin(key, override.key))?.from ??
    `${file}, line ${lines.get(key) ?? 1}`
  const [complaint] = complaintsOf(schema, table)
  if (complaint !== undefined) throw invalid(`${placeOf(complaint.key)}: ${complaint.sentence}`)
  const conf = withDefaults(schema, table) as Static<T>
  resolvePaths(conf as Table, dirname(resolve(file)))
  return conf
}

function parse(file: string): { table: Table; lines: Map<string, number> } {
  const text = readText(file)
  try {
    const tree = parseTOML(text, { filePath: file, tomlVersion: '1.0' })
    const lines = linesOf(tree)
    refusePrototype(file, lines)
    return { table: getStaticTOMLValue(tree) as Table, lines }
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    throw invalid(`${file}, ${syntaxSentence(text, error)}`, error)
  }
}

/**
 * The parser counts a missing value to the line where the next thing stands; people look before
 * it.
 */
function syntaxSentence(text: string, error: ParseError): string {
  const before = text.slice(0, error.index).trimEnd()
  if (!before.endsWith('=')) return `line ${error.lineNumber}: this is not TOML: ${error.message}.`
  return `line ${before.split('\n').length}: this is not TOML: a value is missing after the = sign.`
}

/** getStaticTOMLValue would put the keys below `__proto__` on every object of the process. */
function refusePrototype(file: string, lines: Map<string, number>): void {
  for (const [key, line] of lines) {
    if (!key.split('.').includes('__proto__')) continue
    throw invalid(`${file}, line ${line}: ${key} is not a key that this file can have.`)
  }
}

function readText(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = reasons[code ?? ''] ?? `cannot be read (${code ?? String(error)}).`
    throw invalid(`The conf file ${file} ${reason}`, error)
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'does not exist.',
  ENOTDIR: 'does not exist.',
  EISDIR: 'is a folder.',
  EACCES: 'may not be read by this user.',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'is not UTF-8 text.',
}

/** Whether `key` is `outer` or lies below it: `nodes.2` is within `nodes`. */
function isWithin(key: string, outer: string): boolean {
  return key === outer || key.startsWith(`${outer}.`)
}

function invalid(message: string, cause?: unknown): DfsError {
  return new DfsError('CONF_INVALID', message, { cause })
}
