// Sizes, times, counts and file names as text for people. Pure; UTC and English only, so that the
// page reads the same wherever it is made. Escaping for HTML is the templates' work, not this
// file's.

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const

/** `4.8 MB`: decimal units, one decimal below 100, none above. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes
  let unit = 0
  // 999.5 would print as 1000 of its unit: the next unit takes it.
  while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits)} ${SIZE_UNITS[unit]}`
}

/** `1,248 files`, `1 file`; `plural` where an s does not make it. */
export function formatCount(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`
}

/** `2026-11-22 09:26`, UTC; empty for a time that no calendar has. */
export function formatTime(timeMs: number): string {
  return isoTime(timeMs).slice(0, 16).replace('T', ' ')
}

/** `2026-11-22T09:26:00.000Z` for machines; empty for a time that no calendar has. */
export function isoTime(timeMs: number): string {
  const time = new Date(timeMs)
  return Number.isNaN(time.getTime()) ? '' : time.toISOString()
}

/** `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[], conjunction: 'and' | 'or'): string {
  const head = words.slice(0, -1)
  const last = words.at(-1) ?? ''
  return head.length === 0 ? last : `${head.join(', ')} ${conjunction} ${last}`
}

/**
 * Characters that show nothing, move what follows, or turn the reading direction: with them one
 * name can look like another (`report\u202Efdp.exe`). The joiners U+200C and U+200D stay: scripts
 * and emoji need them.
 */
const HIDDEN =
  /[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu

/**
 * The two that do occur get a sign that every system's fonts have; Unicode's own pictures of
 * control characters (U+2400 and on) are missing from many. The others are written as their
 * number.
 */
const SIGNS: Readonly<Record<string, string>> = { '\n': '↵', '\t': '⇥' }

/** The name with every hidden character made visible; for showing only, never for an address. */
export function visibleName(name: string): string {
  return name
    .toWellFormed()
    .replace(
      HIDDEN,
      (character) =>
        SIGNS[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
}

/** The text as one word for a POSIX shell, which a person can copy: quoted where it must be. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** What stands before a file's name: a picture of what its ending promises. */
export type FileLook = 'file' | 'image' | 'sound' | 'film' | 'text' | 'archive' | 'code'

const LOOKS: Readonly<Record<Exclude<FileLook, 'file'>, string>> = {
  image: 'avif bmp dng gif heic ico jpeg jpg png psd raw svg tif tiff webp',
  sound: 'aac flac m4a mid mp3 oga ogg opus wav wma',
  film: 'avi m4v mkv mov mp4 mpeg mpg ogv webm wmv',
  text: 'doc docx epub md odt pages pdf rtf tex txt',
  archive: '7z bz2 deb gz iso jar rar rpm tar tgz xz zip zst',
  code: 'c conf cpp css go h html java js json mjs py rb rs sh sql svelte toml ts xml yaml yml',
}

const LOOK_OF_ENDING = new Map(
  Object.entries(LOOKS).flatMap(([look, endings]) =>
    endings.split(' ').map((ending) => [ending, look as FileLook] as const),
  ),
)

export function fileLook(name: string): FileLook {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  return LOOK_OF_ENDING.get(ending) ?? 'file'
}
