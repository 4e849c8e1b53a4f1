// The body of a `changes` answer: entries end to end, in a form that a catalog can write and a
// client can read a million times in a few seconds. Grammar (numbers big-endian):
//
//   page         = { entry }
//   entry        = file(16) version(16) facts(1) sealedLength(2) sealed
//   facts        = bits 0..3: the parts held, bit p-1 for part p; bits 4, 5: the state
//   state        = 0 prepared, 1 committed, 2 deleted
//   sealedLength = length of `sealed`; 0 where deleted, and where the page is brief
import { DfsError } from './errors.ts'
import { MAX_SEALED_BYTES } from './limits.ts'

const FILE_BYTES = 16
const FACTS_AT = 32
const LENGTH_AT = 33
/** Of an entry, before its sealed description. */
export const CHANGED_FIXED_BYTES = 35
const STATES = ['prepared', 'committed', 'deleted'] as const

/** One entry of a page, which keeps the bytes of the page alive: for reading, not for keeping. */
export interface ChangedEntry {
  /** The page; ids begin at these offsets and are 16 bytes each. */
  page: Buffer
  fileAt: number
  versionAt: number
  state: (typeof STATES)[number]
  /** Mask of the parts held. */
  parts: number
  /** Where the sealed description begins, and its length. */
  sealedAt: number
  sealedBytes: number
}

/** The byte of facts of an entry; `parts` is the mask of those held. */
export function factsOf(state: ChangedEntry['state'], parts: number): number {
  return (STATES.indexOf(state) << 4) | parts
}

/** @throws DfsError BAD_MESSAGE where it is no page */
export function readChangesPage(page: Buffer): ChangedEntry[] {
  const entries: ChangedEntry[] = []
  for (let at = 0; at < page.length; ) {
    const sealedAt = at + CHANGED_FIXED_BYTES
    if (sealedAt > page.length) throw cutShort()
    const facts = page[at + FACTS_AT]!
    const state = STATES[facts >> 4]
    const sealedBytes = page.readUInt16BE(at + LENGTH_AT)
    if (state === undefined || sealedBytes > MAX_SEALED_BYTES) {
      throw new DfsError('BAD_MESSAGE', 'An entry of a page of changes is not one.')
    }
    if (sealedAt + sealedBytes > page.length) throw cutShort()
    const versionAt = at + FILE_BYTES
    const parts = facts & 15
    entries.push({ page, fileAt: at, versionAt, state, parts, sealedAt, sealedBytes })
    at = sealedAt + sealedBytes
  }
  return entries
}

/** The same entry in a page of its own. */
export function keptEntry({ page, fileAt, sealedAt, sealedBytes }: ChangedEntry): ChangedEntry {
  return readChangesPage(Buffer.from(page.subarray(fileAt, sealedAt + sealedBytes)))[0]!
}

/** Copies of what an entry says, for whoever keeps it or looks closer. */
export function partsOfEntry({ page, fileAt, versionAt, sealedAt, sealedBytes }: ChangedEntry) {
  return {
    file: Buffer.from(page.subarray(fileAt, fileAt + FILE_BYTES)),
    version: Buffer.from(page.subarray(versionAt, versionAt + FILE_BYTES)),
    sealed: Buffer.from(page.subarray(sealedAt, sealedAt + sealedBytes)),
  }
}

function cutShort(): DfsError {
  return new DfsError('BAD_MESSAGE', 'A page of changes is cut short.')
}
