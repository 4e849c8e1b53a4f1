// How dfc speaks, stated once: results on standard output, everything else on standard error as
// `dfc: <sentence>` and `dfc: hint: <what to do>`. Sizes are decimal, times local, node names
// spelled out. Pure functions from data to text; knows no streams and does no work.
import { codes, DfsError } from '@fourfold/storage-node/protocol'
import type { FileInfo, NodeState } from '../dfs/store.ts'

/** What the process says to the shell. */
export const ExitCode = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const

/** A mistake in what was typed: exit code 2, and the hint names the page of the help. */
export function usageError(message: string, verb?: string): DfsError {
  const hint = verb === undefined ? 'dfc --help shows the commands.' : `help ${verb} shows its use.`
  return new DfsError('USAGE', message, { detail: { hint } })
}

/** A failure on this machine, outside the store: exit code 1. */
export function localError(message: string, hint: string, cause?: unknown): DfsError {
  return new DfsError('BAD_REQUEST', message, { detail: { hint }, cause })
}

/** The lines for standard error that tell of a failure, each without its newline. */
export function errorLines(error: unknown, nodes: readonly NodeState[] = []): string[] {
  const { sentence, hint } = wordsOf(error)
  const lines = [`dfc: ${sentence}`]
  if (error instanceof DfsError && NODE_CODES.has(error.code)) {
    lines.push(...nodes.flatMap(whyDown).map((line) => `dfc: ${line}`))
  }
  if (hint) lines.push(`dfc: hint: ${hint}`)
  return lines
}

/** Failures that the state of the nodes explains. */
const NODE_CODES = new Set<string>(['NODES_UNAVAILABLE', 'PARTS_UNAVAILABLE'])

/** The exit code that tells of `error`. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof DfsError)) return ExitCode.failed
  if (error.code === 'USAGE') return ExitCode.usage
  return error.code === 'ABORTED' ? ExitCode.interrupted : ExitCode.failed
}

function wordsOf(error: unknown): { sentence: string; hint: string | undefined } {
  if (error instanceof DfsError) {
    const { hint } = error.detail
    return {
      sentence: visibleText(error.message),
      hint: typeof hint === 'string' ? hint : codes[error.code].hint,
    }
  }
  const { code, syscall, path } = error as NodeJS.ErrnoException
  if (code !== undefined && syscall !== undefined) {
    const what = path === undefined ? syscall : visibleText(path)
    return { sentence: `${what}: ${systemReasons[code] ?? code}.`, hint: undefined }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { sentence: visibleText(message), hint: codes.INTERNAL.hint }
}

/** What the operating system's error codes mean, as the end of a sentence. */
export const systemReasons: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'does not exist',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'is a folder',
  EEXIST: 'exists already',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the disk is read-only',
  ENAMETOOLONG: 'the name is too long for this disk',
  EMFILE: 'too many open files',
  EIO: 'the disk failed',
}

function whyDown(node: NodeState): string[] {
  if (node.health === 'up') return []
  return [visibleText(node.reason ?? `${node.name} at ${node.address} is not up.`)]
}

/** `DFS3 is down.`, `DFS3 and DFS4 are down.`; undefined while none is. */
export function downSentence(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined
  return `${joinWords(names, 'and')} ${names.length === 1 ? 'is' : 'are'} down.`
}

/** `2 copies`, `1 copy left`, `Needs DFS3 or DFS4`, `Part 2 missing`. */
export function copiesWord(
  file: Pick<FileInfo, 'state' | 'copies' | 'missingParts' | 'missingNodes'>,
): string {
  if (file.state === 'complete') return '2 copies'
  if (file.state === 'degraded') return '1 copy left'
  if (file.missingNodes.length > 0) return `Needs ${cure(file.copies, file.missingNodes)}`
  const plural = file.missingParts.length === 1 ? '' : 's'
  return `Part${plural} ${joinWords(file.missingParts.map(String), 'and')} missing`
}

/**
 * The nodes of which any one brings every lost quarter back; all of them where no single one
 * does.
 */
function cure(copies: number, missing: readonly string[]): string {
  const lost = [0, 1, 2, 3].filter((quarter) => ((copies >> (2 * quarter)) & 3) === 0)
  const alone = missing.filter((name) => {
    const node = Number(name.slice('DFS'.length)) - 1
    return lost.every((quarter) => quarter === node || (quarter + 1) % 4 === node)
  })
  return alone.length > 0 ? joinWords(alone, 'or') : joinWords(missing, 'and')
}

/** `6.2 MB`: decimal units, one decimal below 100, none above; the same as on the page. */
export function sizeText(sizeBytes: number): string {
  let value = sizeBytes
  let unit = 0
  // 999.5 would print as 1000 of its unit: the next unit takes it.
  while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(unit === 0 || value >= 99.95 ? 0 : 1)} ${SIZE_UNITS[unit]}`
}

/** `2026-11-22 09:26`, in the time zone of the terminal. */
export function timeText(timeMs: number): string {
  const time = new Date(timeMs)
  if (Number.isNaN(time.getTime())) return '-'
  const two = (value: number) => String(value).padStart(2, '0')
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}`
}

/** `40 s`, `4 min`, `3 h`, `12 days`: one unit is enough for an estimate. */
export function durationText(timeMs: number): string {
  const seconds = timeMs / 1000
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} days`
}

/** `1,248`. Not by toLocaleString: to load ICU's numbers takes as long as to list 1,000 files. */
export function numberText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1,248 files`, `1 file`. */
export function countText(count: number, noun: string): string {
  return `${numberText(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[], conjunction: 'and' | 'or'): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`
}

/**
 * Characters that move the cursor, colour the terminal, break a table's line or turn the reading
 * direction. A name that holds them is shown with `\n`, `\u001b` in their place.
 */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for control characters
  /[\0-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

const ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Text from outside, made safe to show on a terminal. */
export function visibleText(text: string): string {
  return text.toWellFormed().replace(HIDDEN, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, '0')
    return ESCAPES[character] ?? `\\u${code}`
  })
}
