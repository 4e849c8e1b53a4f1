// Colours for program text through highlight.js, of which only the core and the language at hand
// are loaded. Its answer is HTML; here it is taken apart again, so that no HTML is ever set.
import core from 'highlight.js/lib/core'

export interface ColouredText {
  text: string
  /** Class of the innermost token around it; '' for none. */
  look: string
}

const languages: Record<
  string,
  () => Promise<{ default: Parameters<typeof core.registerLanguage>[1] }>
> = {
  bash: () => import('highlight.js/lib/languages/bash'),
  c: () => import('highlight.js/lib/languages/c'),
  cpp: () => import('highlight.js/lib/languages/cpp'),
  css: () => import('highlight.js/lib/languages/css'),
  go: () => import('highlight.js/lib/languages/go'),
  ini: () => import('highlight.js/lib/languages/ini'),
  java: () => import('highlight.js/lib/languages/java'),
  javascript: () => import('highlight.js/lib/languages/javascript'),
  json: () => import('highlight.js/lib/languages/json'),
  python: () => import('highlight.js/lib/languages/python'),
  ruby: () => import('highlight.js/lib/languages/ruby'),
  rust: () => import('highlight.js/lib/languages/rust'),
  sql: () => import('highlight.js/lib/languages/sql'),
  typescript: () => import('highlight.js/lib/languages/typescript'),
  xml: () => import('highlight.js/lib/languages/xml'),
  yaml: () => import('highlight.js/lib/languages/yaml'),
}

/** A language that is not known is plain text. */
export async function highlighterOf(language: string): Promise<(text: string) => ColouredText[]> {
  const load = languages[language]
  if (load === undefined) return (text) => [{ text, look: '' }]
  if (core.getLanguage(language) === undefined)
    core.registerLanguage(language, (await load()).default)
  return (text) => piecesOf(core.highlight(text, { language, ignoreIllegals: true }).value)
}

const ENTITIES: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#x27;': "'",
}

/** The emitter writes nothing but `<span class="…">`, `</span>` and five entities. */
export function piecesOf(html: string): ColouredText[] {
  const looks: string[] = []
  const pieces: ColouredText[] = []
  for (const [part, look, isEnd] of html.matchAll(/<span class="([^"]*)">|(<\/span>)|[^<]+/g)) {
    if (look !== undefined) looks.push(look)
    else if (isEnd !== undefined) looks.pop()
    else {
      const text = part.replace(/&(amp|lt|gt|quot|#x27);/g, (entity) => ENTITIES[entity] ?? entity)
      pieces.push({ text, look: looks.at(-1) ?? '' })
    }
  }
  return pieces
}
