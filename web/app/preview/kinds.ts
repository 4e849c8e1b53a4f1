// Which way a file is shown, by its type and, where that says little, by its name's ending. Only
// what browsers show without running anything in it.

export type PreviewKind =
  | 'image'
  | 'video'
  | 'audio'
  | 'pdf'
  | 'markdown'
  | 'code'
  | 'text'
  | 'none'

const IMAGES = /^image\/(png|jpeg|webp|gif|avif|svg\+xml)$/
const TEXT_TYPES = /^(text\/|application\/(json|xml|javascript|toml|yaml|x-sh))/
const TEXT_ENDINGS = new Set(
  'txt log csv tsv conf ini env text me nfo srt vtt tex rst org'.split(' '),
)

/** Endings by the name of the language that highlights them. */
const LANGUAGES: Record<string, string> = {
  bash: 'sh bash zsh',
  c: 'c h',
  cpp: 'cpp hpp cc cxx',
  css: 'css',
  go: 'go',
  ini: 'ini toml',
  java: 'java',
  javascript: 'js mjs cjs jsx',
  json: 'json',
  python: 'py',
  ruby: 'rb',
  rust: 'rs',
  sql: 'sql',
  typescript: 'ts mts cts tsx',
  xml: 'xml html svg svelte vue xhtml',
  yaml: 'yaml yml',
}
const LANGUAGE_OF = new Map(
  Object.entries(LANGUAGES).flatMap(([name, endings]) =>
    endings.split(' ').map((ending) => [ending, name] as const),
  ),
)

export function endingOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).toLowerCase()
}

/** For highlight.js; undefined where the file is plain text. */
export function languageOf(name: string): string | undefined {
  return LANGUAGE_OF.get(endingOf(name))
}

/** The word after a fence: a language's name, or one of its endings. */
export function languageNamed(word: string | undefined): string | undefined {
  return word === undefined || word === '' ? undefined : (LANGUAGE_OF.get(word) ?? word)
}

export function previewKind({ name, type }: { name: string; type: string }): PreviewKind {
  const bare = type.split(';', 1)[0]!.trim().toLowerCase()
  const ending = endingOf(name)
  if (IMAGES.test(bare)) return 'image'
  if (bare.startsWith('video/') && ending !== 'ts') return 'video'
  if (bare.startsWith('audio/')) return 'audio'
  if (bare === 'application/pdf') return 'pdf'
  if (ending === 'md' || ending === 'markdown') return 'markdown'
  if (languageOf(name) !== undefined) return 'code'
  if (TEXT_TYPES.test(bare) || TEXT_ENDINGS.has(ending)) return 'text'
  return 'none'
}
