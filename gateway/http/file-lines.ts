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
const DAY_MS = 86_400_000
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
  at = writeAscii(bytes, at, String(sizeBytes))
  at = writeAscii(bytes, at, ',"modified":"')
  at = writeTime(bytes, at, modifiedMs)
  at = writeAscii(bytes, at, '","type":')
  at = writeText(bytes, at, type)
  at = writeAscii(bytes, at, ',"md5":"')
  at = writeAscii(bytes, at, md5)
  at = writeAscii(bytes, at, '","copies":')
  at = writeAscii(bytes, at, String(copies))
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

/** As `Date.toISOString`, of the years 1970 to 9999. */
function writeTime(bytes: Buffer, at: number, timeMs: number): number {
  // To ask a Date for each part of it would take three times as long.
  const day = new Date(timeMs)
  const ofDayMs = (timeMs - Math.floor(timeMs / DAY_MS) * DAY_MS) | 0
  const seconds = (ofDayMs / 1000) | 0
  const minutes = (seconds / 60) | 0
  writeAscii(bytes, at, '0000-00-00T00:00:00.000Z')
  const year = day.getUTCFullYear()
  writePair(bytes, at, (year / 100) | 0)
  writePair(bytes, at + 2, year % 100)
  writePair(bytes, at + 5, day.getUTCMonth() + 1)
  writePair(bytes, at + 8, day.getUTCDate())
  writePair(bytes, at + 11, (minutes / 60) | 0)
  writePair(bytes, at + 14, minutes % 60)
  writePair(bytes, at + 17, seconds % 60)
  const ms = ofDayMs % 1000
  bytes[at + 20] = ZERO + ((ms / 100) | 0)
  writePair(bytes, at + 21, ms % 100)
  return at + 24
}

/** Two digits. */
function writePair(bytes: Buffer, at: number, number: number): void {
  bytes[at] = ZERO + ((number / 10) | 0)
  bytes[at + 1] = ZERO + (number % 10)
}
