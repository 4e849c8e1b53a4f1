// Rows of a listing as lines of JSON, written byte by byte: a million of them are asked for at
// once, and JSON.stringify of an object with a Date, or one text put together of many, costs
// several times as much. Functions that write take the bytes and where to begin, and answer where
// they ended.
import type { FileInfo } from '../dfs/store.ts'
import { fileJson } from './schemas.ts'

const ZERO = 48
const QUOTE = 34
const BACKSLASH = 92
const FIRST_PRINTABLE = 32
const LAST_PRINTABLE = 126
const COLON = 58
const POINT = 46
const LETTER_Z = 90
const DAY_MS = 86_400_000
const MAX_INT32 = 2 ** 31 - 1
/** Remembered; a hundred years. */
const MAX_DATES = 36_525
const USUAL_LINE_BYTES = 320
/** Of a line, all but name and type; and what one UTF-16 code unit of these takes at most. */
const REST_BYTES = 256
const UNIT_BYTES = 6

/** The same bytes as JSON.stringify of the `fileJson` of each, with a line feed behind it. */
export function fileLines(files: readonly FileInfo[]): Buffer {
  let bytes: Buffer = Buffer.allocUnsafeSlow(files.length * USUAL_LINE_BYTES)
  let at = 0
  for (const file of files) {
    const mostBytes = REST_BYTES + UNIT_BYTES * (file.name.length + file.type.length)
    if (at + mostBytes > bytes.length) bytes = grown(bytes, at, 2 * (at + mostBytes))
    at = writeLine(bytes, at, file)
  }
  return bytes.subarray(0, at)
}

function grown(bytes: Buffer, usedBytes: number, lengthBytes: number): Buffer {
  const longer = Buffer.allocUnsafeSlow(lengthBytes)
  bytes.copy(longer, 0, 0, usedBytes)
  return longer
}

function writeLine(bytes: Buffer, from: number, file: FileInfo): number {
  const { name, sizeBytes, modifiedMs, type, md5, copies, state } = file
  if (state === 'insufficient') {
    return from + bytes.write(`${JSON.stringify(fileJson(file))}\n`, from)
  }
  let at = writeAscii(bytes, from, '{"name":')
  at = writeText(bytes, at, name)
  at = writeAscii(bytes, at, ',"size":')
  at = writeNumber(bytes, at, sizeBytes)
  at = writeAscii(bytes, at, ',"modified":"')
  at = writeTime(bytes, at, modifiedMs)
  at = writeAscii(bytes, at, '","type":')
  at = writeText(bytes, at, type)
  at = writeAscii(bytes, at, ',"md5":"')
  at = writeAscii(bytes, at, md5)
  at = writeAscii(bytes, at, '","copies":')
  at = writeNumber(bytes, at, copies)
  at = writeAscii(bytes, at, ',"state":"')
  at = writeAscii(bytes, at, state)
  return writeAscii(bytes, at, '"}\n')
}

function writeAscii(bytes: Buffer, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index)
  return at + text.length
}

/** As JSON: most texts need no escape, and are looked at while they are written. */
function writeText(bytes: Buffer, at: number, text: string): number {
  bytes[at] = QUOTE
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    const isPlain = unit >= FIRST_PRINTABLE && unit <= LAST_PRINTABLE
    if (!isPlain || unit === QUOTE || unit === BACKSLASH) {
      return at + bytes.write(JSON.stringify(text), at)
    }
    bytes[at + 1 + index] = unit
  }
  bytes[at + 1 + text.length] = QUOTE
  return at + 2 + text.length
}

/** A whole number that is not negative. */
function writeNumber(bytes: Buffer, at: number, number: number): number {
  if (number > MAX_INT32) return writeAscii(bytes, at, String(number))
  let digits = 1
  for (let least = 10; least <= number; least *= 10) digits++
  for (let place = at + digits - 1, rest = number | 0; place >= at; place--) {
    const tenth = (rest / 10) | 0
    bytes[place] = ZERO + rest - 10 * tenth
    rest = tenth
  }
  return at + digits
}

/** As `Date.toISOString`, of the years 1970 to 9999. A Date takes three times as long. */
function writeTime(bytes: Buffer, at: number, timeMs: number): number {
  const day = Math.floor(timeMs / DAY_MS)
  const ofDayMs = (timeMs - day * DAY_MS) | 0
  const seconds = (ofDayMs / 1000) | 0
  const minutes = (seconds / 60) | 0
  const ms = ofDayMs - seconds * 1000
  writeAscii(bytes, at, dateOf(day))
  writePair(bytes, at + 11, (minutes / 60) | 0)
  bytes[at + 13] = COLON
  writePair(bytes, at + 14, minutes % 60)
  bytes[at + 16] = COLON
  writePair(bytes, at + 17, seconds % 60)
  bytes[at + 19] = POINT
  bytes[at + 20] = ZERO + ((ms / 100) | 0)
  writePair(bytes, at + 21, ms % 100)
  bytes[at + 23] = LETTER_Z
  return at + 24
}

const dates = new Map<number, string>()

/** `2026-11-27T`; days since 1970. */
function dateOf(day: number): string {
  let date = dates.get(day)
  if (date === undefined) {
    if (dates.size >= MAX_DATES) dates.clear()
    date = new Date(day * DAY_MS).toISOString().slice(0, 11)
    dates.set(day, date)
  }
  return date
}

/** Two digits. */
function writePair(bytes: Buffer, at: number, number: number): void {
  bytes[at] = ZERO + ((number / 10) | 0)
  bytes[at + 1] = ZERO + (number % 10)
}
