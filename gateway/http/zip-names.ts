// The names that files get inside an archive, so that it can be unpacked on every system: below the
// folder it is unpacked in, of characters that all file systems take, each name once whatever the
// system makes of capitals. Pure.

/** What Windows forbids, and controls, which terminals act on. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f<>:"|?*\\]/g
/** Windows drops them from the end of a name, and shells hide what begins with a space. */
const LOOSE_ENDS = /^[ ]+|[ .]+$/g
/** Devices of Windows, also with an extension. */
const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)/i
/** The longest name of one segment that common file systems take. */
const MAX_SEGMENT_BYTES = 255
/** Room for ` (1234567)`. */
const COUNTER_BYTES = 10

/** A path for each of `names`, in their order: without `base` before it, safe, and unique. */
export function archivePaths(names: readonly string[], base: string): string[] {
  const safe = names.map((name) => safePath(name.startsWith(base) ? name.slice(base.length) : name))
  // A folder and a file cannot have the same name: the file gives way.
  const taken = new Set(safe.flatMap(foldersAbove).map(foldCase))
  return safe.map((path) => {
    let unique = path
    for (let count = 2; taken.has(foldCase(unique)); count++) unique = numbered(path, count)
    taken.add(foldCase(unique))
    return unique
  })
}

/**
 * What all of `names` and folders (ending in `/`) lie in: the part of their paths that an archive
 * leaves out.
 */
export function commonFolder(names: readonly string[]): string {
  const [first = '', ...others] = names.map((name) => foldersAbove(name).at(-1) ?? '')
  let common = first
  for (const folder of others) {
    while (!folder.startsWith(common)) common = foldersAbove(common).at(-1) ?? ''
  }
  return common
}

/** `a/b/c` lies in `a/` and `a/b/`; a folder, `a/b/`, lies in `a/`. */
function foldersAbove(path: string): string[] {
  const folders: string[] = []
  for (
    let at = path.indexOf('/');
    at >= 0 && at < path.length - 1;
    at = path.indexOf('/', at + 1)
  ) {
    folders.push(path.slice(0, at + 1))
  }
  return folders
}

function safePath(name: string): string {
  return name.split('/').map(safeSegment).join('/')
}

function safeSegment(segment: string): string {
  const plain = segment
    .toWellFormed()
    .replace(FORBIDDEN, '_')
    .replace(LOOSE_ENDS, (ends) => '_'.repeat(ends.length))
    .replace(RESERVED, '$1_')
  return plain === '' ? '_' : shorten(plain, MAX_SEGMENT_BYTES - COUNTER_BYTES)
}

/** Cuts between characters and keeps a short extension. */
function shorten(segment: string, mostBytes: number): string {
  if (Buffer.byteLength(segment) <= mostBytes) return segment
  const { stem, extension } = splitExtension(segment)
  let room = mostBytes - Buffer.byteLength(extension)
  let kept = ''
  for (const character of stem) {
    room -= Buffer.byteLength(character)
    if (room < 0) break
    kept += character
  }
  return kept + extension
}

/** `a/b.txt` as `a/b (2).txt`. */
function numbered(path: string, count: number): string {
  const at = path.lastIndexOf('/') + 1
  const { stem, extension } = splitExtension(path.slice(at))
  return `${path.slice(0, at)}${stem} (${count})${extension}`
}

function splitExtension(segment: string): { stem: string; extension: string } {
  const extension = /(?<=.)\.[^.\s]{1,16}$/u.exec(segment)?.[0] ?? ''
  return { stem: segment.slice(0, segment.length - extension.length), extension }
}

/** Systems differ in what they take for the same name; where one does, the names differ here. */
function foldCase(path: string): string {
  const bare = path.endsWith('/') ? path.slice(0, -1) : path
  return bare.normalize('NFKC').toLowerCase().toUpperCase()
}
