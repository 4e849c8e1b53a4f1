// What a message page says of an error to a person: a title by code and by what was being done,
// advice where the error's own hint speaks to programs, and where to go from here. The sentence of
// the case itself comes with the page.
import type { Page, PageTask } from './page.ts'
import { folderOf, listingPath } from './paths.ts'

type Message = Extract<Page, { kind: 'message' }>
type Sentences = Readonly<Record<string, string>>

/** For a code that has no title below; claims nothing of what was kept. */
const NEUTRAL_TITLE = 'That did not work'

/** Part of an upload is stored. */
const PARTIAL_TITLE = 'Not all files were uploaded'

/** By code. Signing in has a page of its own, which tells its errors itself. */
export const titles: Sentences = {
  NODES_UNAVAILABLE: 'Too few nodes are answering',
  PARTS_UNAVAILABLE: 'This file cannot be opened now',
  NAME_EXISTS: 'That name is taken',
  PASSWORD_WRONG: 'That is not your password',
  FILE_NOT_FOUND: 'There is no such file',
  NAME_INVALID: 'That name cannot be used',
  NO_SPACE: 'Not enough room',
  TOO_LARGE: 'That is too much at once',
  BUSY: 'Too much is going on just now',
  TOO_MANY_CONNECTIONS: 'Too much is going on just now',
  OUTCOME_UNKNOWN: 'It is not certain whether that worked',
  PRECONDITION_FAILED: 'The file has changed',
  ORIGIN_REFUSED: 'This came from another site',
  FORBIDDEN: 'That is not allowed',
  NOT_FOUND: 'There is no such page',
  METHOD_NOT_ALLOWED: 'There is no such page',
  INTERNAL: 'Something went wrong',
}

const nothingUploaded = 'Nothing was uploaded'

/** By code where a form failed: what that means for what the form was to do. */
export const taskTitles: Readonly<Record<PageTask['kind'], Sentences>> = {
  upload: {
    NODES_UNAVAILABLE: nothingUploaded,
    NODE_GONE: nothingUploaded,
    NODE_TIMEOUT: nothingUploaded,
    DISK_FAILED: nothingUploaded,
    FORM_INVALID: nothingUploaded,
    LENGTH_MISMATCH: nothingUploaded,
    DIGEST_MISMATCH: nothingUploaded,
    IDLE_TIMEOUT: nothingUploaded,
  },
  delete: { NODES_UNAVAILABLE: 'Nothing was deleted' },
  rename: { NODES_UNAVAILABLE: 'Nothing was renamed' },
}

/** Instead of hints that speak to programs. */
export const advice: Sentences = {
  BAD_REQUEST: 'Go back and try it from there.',
  FORM_INVALID: 'Go back, choose at least one file, and send it again.',
  METHOD_NOT_ALLOWED: 'Go back to your files.',
  NOT_FOUND: 'Go back to your files.',
}

export function messageTitle({ code, task, stored }: Message): string {
  // Of the file that failed nothing is certain either way: "not all" would be a claim.
  const isPartial = stored.length > 0 && code !== 'OUTCOME_UNKNOWN'
  if (isPartial) return PARTIAL_TITLE
  const ofTask = task === undefined ? undefined : taskTitles[task.kind][code]
  return ofTask ?? titles[code] ?? NEUTRAL_TITLE
}

export function messageAdvice({ code, hint }: Message): string {
  return advice[code] ?? hint
}

/** The folder from which the form was sent; all files where none was. */
export function backPath({ base, task }: Message): string {
  if (task === undefined) return listingPath(base)
  return listingPath(base, { folder: task.kind === 'upload' ? task.folder : folderOf(task.name) })
}
