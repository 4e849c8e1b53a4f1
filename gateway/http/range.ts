// One byte range of a Range header (RFC 9110 section 14), decided for a file of a known size. Pure.
import type { ByteRange } from '../dfs/store.ts'

/** Longer headers are many ranges or nonsense; both answer with the whole file. */
const MAX_HEADER_LENGTH = 200

/**
 * What a Range header asks of `sizeBytes` bytes. `all`: there is no header, or one that may be
 * ignored (section 14.2: malformed, another unit, several ranges); `unsatisfiable`: answer 416.
 */
export function chooseRange(
  header: string | undefined,
  sizeBytes: number,
): ByteRange | 'all' | 'unsatisfiable' {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return 'all'
  // Section 14.1: range units are compared without regard to case; whitespace only around list
  // items.
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header.trim())
  if (match === null) return 'all'
  const [, first = '', last = ''] = match
  if (first === '') return last === '' ? 'all' : suffix(Number(last), sizeBytes)
  // Numbers of any length stay comparable: what is beyond a double is beyond any file.
  const from = Number(first)
  const to = last === '' ? Number.POSITIVE_INFINITY : Number(last)
  // Section 14.1.1: a last position before the first makes the whole header invalid.
  if (to < from) return 'all'
  // Section 14.1.2: satisfiable if the first position is inside the representation.
  if (from >= sizeBytes) return 'unsatisfiable'
  return { from, to: Math.min(to, sizeBytes - 1) }
}

/** The last `lengthBytes` bytes; section 14.1.3: of a shorter file, all of it. */
function suffix(lengthBytes: number, sizeBytes: number): ByteRange | 'all' | 'unsatisfiable' {
  if (lengthBytes === 0) return 'unsatisfiable'
  // Satisfiable by the letter, but no Content-Range can say it.
  if (sizeBytes === 0) return 'all'
  return { from: Math.max(0, sizeBytes - lengthBytes), to: sizeBytes - 1 }
}
