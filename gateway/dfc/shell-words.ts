// Splits a line of the prompt into words as a shell does: quotes of both kinds, and the backslash.
// No variables, no patterns, no comments.
import { usageError } from './voice.ts'

/**
 * `put "my file.pdf"` gives `put`, `my file.pdf`.
 * @throws DfsError USAGE where a quote is left open or the line ends in a backslash
 */
export function shellWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!
    if (character === '\\' && quote !== "'") {
      const next = line[++at]
      if (next === undefined) throw usageError('The line ends in a backslash.')
      // POSIX 2.2.3: inside double quotes the backslash is itself unless it guards one of these.
      const isKept = quote === '"' && !'"\\$`'.includes(next)
      word = (word ?? '') + (isKept ? character : '') + next
    } else if (quote !== '') {
      if (character === quote) quote = ''
      else word += character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== '') throw usageError(`The quote ${quote} is not closed.`)
  if (word !== undefined) words.push(word)
  return words
}
