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
  const time = new Date(timeMs)
  // To ask a Date for each part of it would take three times as long.
  const ofDayMs = timeMs % DAY_MS
  const seconds = Math.floor(ofDayMs / 1000)
  const minutes = Math.floor(seconds / 60)
  writeAscii(bytes, at, '0000-00-00T00:00:00.000Z')
  writeDigits(bytes, at + 4, time.getUTCFullYear())
  writeDigits(bytes, at + 7, time.getUTCMonth() + 1)
  writeDigits(bytes, at + 10, time.getUTCDate())
  writeDigits(bytes, at + 13, Math.floor(minutes / 60))
  writeDigits(bytes, at + 16, minutes % 60)
  writeDigits(bytes, at + 19, seconds % 60)
  writeDigits(bytes, at + 23, ofDayMs % 1000)
  return at + 24
}

/** So that they end before `end`; there are zeros. */
function writeDigits(bytes: Buffer, end: number, number: number): void {
  let rest = number
  for (let at = end - 1; rest > 0; at--) {
    bytes[at] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}
