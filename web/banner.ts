// The sentences about nodes that are down: what is true, what still works, what happens next. Plain
// data in, text out; how they look is the style sheet's.
import { joinWords } from './format.ts'
import type { PageNode } from './page.ts'
import { curesOf, lostQuarters } from './words.ts'

export interface BannerText {
  /** `warn`: every file can be read; `bad`: none can. */
  level: 'warn' | 'bad'
  /** Who is not answering; shown in bold. */
  lead: string
  rest: string
}

const UPLOADS_REFUSED =
  'Uploads are refused until all four nodes are up; nothing you send now would be kept.'

const UPLOAD_WAITS = 'New uploads wait, and start by themselves when all four nodes are up.'

/**
 * What to say above every page while nodes are down; undefined while all are up. `keepsUploads`:
 * the app's uploads wait, where a form's would be refused.
 */
export function bannerText(
  nodes: readonly PageNode[],
  keepsUploads = false,
): BannerText | undefined {
  const down = nodes.filter((node) => !node.isUp).map((node) => node.name)
  if (down.length === 0) return undefined
  const lost = lostQuarters(nodes)
  if (lost.length === 0) {
    const still =
      down.length === 1
        ? 'Every file can still be opened and downloaded.'
        : 'Every file can still be read, from its last copy.'
    const uploads = down.length === 1 ? UPLOAD_WAITS : 'Uploads wait.'
    return {
      level: 'warn',
      lead: notAnswering(down),
      rest: `${still} ${keepsUploads ? uploads : UPLOADS_REFUSED}`,
    }
  }
  if (down.length === nodes.length) {
    return {
      level: 'bad',
      lead: 'None of the four nodes is answering.',
      rest: `No file can be listed or opened. ${nothingLost(nodes)}`,
    }
  }
  const away = lost.length === 1 ? 'One part of every file is' : 'Two parts of every file are'
  return {
    level: 'bad',
    lead: notAnswering(down),
    rest: `${away} out of reach. ${nothingLost(nodes)}`,
  }
}

function notAnswering(names: readonly string[]): string {
  return `${joinWords(names, 'and')} ${names.length === 1 ? 'is' : 'are'} not answering.`
}

function nothingLost(nodes: readonly PageNode[]): string {
  const isDown = nodes.map((node) => !node.isUp)
  const cures = curesOf(lostQuarters(nodes), nodes, isDown)
  const isEither = cures.every((names) => names.length === 1)
  const back = cures.map(
    (names) => `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} back`,
  )
  const when = isEither ? 'either node is back' : back.join(', or ')
  return `Nothing is lost: files open again as soon as ${when}.`
}
