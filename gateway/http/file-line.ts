// A row of a listing as a line of JSON, written piece by piece: a million of them are asked for at
// once, and JSON.stringify of an object with a Date costs three times as much.
import type { FileInfo } from '../dfs/store.ts'
import { fileJson } from './schemas.ts'

/** `00` to `59`, and `000` to `999`. */
const pairs = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))
const triples = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, '0'))

/** The same text as JSON.stringify of `fileJson`, and a line feed. */
export function fileLine(file: FileInfo): string {
  if (file.state === 'insufficient') return `${JSON.stringify(fileJson(file))}\n`
  const { name, sizeBytes, modifiedMs, type, md5, copies, state } = file
  const named = `{"name":${JSON.stringify(name)},"size":${sizeBytes},"modified":"`
  const typed = `${timeText(modifiedMs)}","type":${JSON.stringify(type)},"md5":"${md5}",`
  return `${named}${typed}"copies":${copies},"state":"${state}"}\n`
}

/** As `Date.toISOString`, which formats by a call of C. @param timeMs of the years 0 to 9999 */
export function timeText(timeMs: number): string {
  const time = new Date(timeMs)
  const year = String(time.getUTCFullYear()).padStart(4, '0')
  const date = `${year}-${pairs[time.getUTCMonth() + 1]}-${pairs[time.getUTCDate()]}`
  const minute = `${pairs[time.getUTCHours()]}:${pairs[time.getUTCMinutes()]}`
  const second = `${pairs[time.getUTCSeconds()]}.${triples[time.getUTCMilliseconds()]}`
  return `${date}T${minute}:${second}Z`
}
