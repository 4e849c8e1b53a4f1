// `list`: the user's files as a table for people, or one JSON object a line for programs. Goes
// page by page, so that a million files need no more memory than a thousand.
import type { FileInfo } from '../dfs/store.ts'
import { type Command, listWordsOf } from './grammar.ts'
import type { Session } from './session.ts'
import { say } from './terminal.ts'
import { copiesWord, countText, downSentence, sizeText, timeText, visibleText } from './voice.ts'

const PAGE_FILES = 1000
/** `Needs DFS3 or DFS4` is the longest that is common. */
const COPIES_COLUMNS = 18
const SIZE_COLUMNS = 8
const TIME_COLUMNS = 16

/** @throws DfsError, ReaderGone */
export async function list(session: Session, command: Command, signal: AbortSignal): Promise<void> {
  const { prefix, credentials } = listWordsOf(command)
  const isJson = command.options['--json'] === true
  const { stdout, stderr } = session.terminal
  const store = await session.store(signal)
  const identity = await session.identity(credentials, signal)
  let cursor: string | undefined
  let isFirst = true
  do {
    const page = await store.list(identity, {
      limit: PAGE_FILES,
      signal,
      ...(prefix !== undefined && { prefix }),
      ...(cursor !== undefined && { cursor }),
    })
    const rows = isJson ? page.files.map((file) => JSON.stringify(file)) : page.files.map(row)
    if (isFirst && !isJson && rows.length > 0) rows.unshift(heading())
    if (rows.length > 0) await say(stdout, rows.join('\n'))
    cursor = page.next
    isFirst = false
    if (cursor === undefined) {
      const down = downSentence(page.missingNodes)
      const { fileCount, sizeBytes } = page.total
      const total = `${countText(fileCount, 'file')}, ${sizeText(sizeBytes)}.`
      const end = fileCount === 0 ? 'No files.' : total
      if (!isJson) await say(stdout, down === undefined ? end : `${end} ${down}`)
      else if (down !== undefined) await say(stderr, `dfc: ${down}`)
    }
  } while (cursor !== undefined)
}

function heading(): string {
  return columns('Copies', 'Size', 'Modified', 'Name')
}

function row(file: FileInfo): string {
  const size = sizeText(file.sizeBytes)
  return columns(copiesWord(file), size, timeText(file.modifiedMs), visibleText(file.name))
}

/** The name comes last, for it alone has no width that could be known beforehand. */
function columns(copies: string, size: string, time: string, name: string): string {
  const left = `${copies.padEnd(COPIES_COLUMNS)}  ${size.padStart(SIZE_COLUMNS)}`
  return `${left}  ${time.padEnd(TIME_COLUMNS)}  ${name}`
}
