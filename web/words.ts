// The words for a file's health: what is true, what still works, what happens next. Plain data in,
// text out; the ring's arithmetic is ring.ts's, how the words look is the style sheet's.
import { joinWords } from './format.ts'
import type { PageFile, PageNode } from './page.ts'
import { QUARTER_COUNT, quarterState, ringState } from './ring.ts'

/** A deletion must be known to every readable set of nodes, so it may miss one node and no more. */
const NODES_TO_DELETE = 3

/** `2 copies`, `1 copy left`, `Needs DFS3 or DFS4`, `Part 2 missing`. */
export function copiesWord(file: PageFile, nodes: readonly PageNode[]): string {
  if (file.state === 'complete') return '2 copies'
  if (file.state === 'degraded') return '1 copy left'
  const cure = cureOfFile(file, nodes)
  return cure === undefined ? `${partNames(file)} missing` : `Needs ${cure}`
}

/** Why a file cannot be opened, one or two sentences; undefined for one that can. */
export function whyUnreadable(file: PageFile, nodes: readonly PageNode[]): string | undefined {
  if (file.state !== 'insufficient') return undefined
  const isOne = file.missingParts.length === 1
  const parts = partNames(file)
  const cure = cureOfFile(file, nodes)
  return cure === undefined
    ? `${parts} ${isOne ? 'has' : 'have'} no copy left on any node: the file cannot be opened.`
    : `${parts} ${isOne ? 'is' : 'are'} out of reach. The file opens again with ${cure}.`
}

export function canUpload(nodes: readonly PageNode[]): boolean {
  return nodes.every((node) => node.isUp)
}

export function canDelete(nodes: readonly PageNode[]): boolean {
  return nodes.filter((node) => !node.isUp).length <= nodes.length - NODES_TO_DELETE
}

function partNames(file: PageFile): string {
  const plural = file.missingParts.length === 1 ? '' : 's'
  return `Part${plural} ${joinWords(file.missingParts.map(String), 'and')}`
}

/** Which nodes bring the file back; undefined where no node that is down can. */
function cureOfFile(file: PageFile, nodes: readonly PageNode[]): string | undefined {
  if (file.missingNodes.length === 0) return undefined
  // The mask knows which nodes help which part; where it names none, the names alone must do.
  if (ringState(file.copies) !== 'lost') return joinWords(file.missingNodes, 'or')
  const lost = [0, 1, 2, 3].filter((quarter) => quarterState(file.copies, quarter) === 'lost')
  const useful = nodes.map((node) => file.missingNodes.includes(node.name))
  const cures = curesOf(lost, nodes, useful).map((names) => names.join(' and '))
  if (cures.length === 0) return undefined
  return cures.some((cure) => cure.includes(' ')) ? cures.join(', or ') : joinWords(cures, 'or')
}

/** Quarters of which neither node answers. */
export function lostQuarters(nodes: readonly PageNode[]): number[] {
  const isDown = (node: number) => nodes[node]?.isUp === false
  return [0, 1, 2, 3].filter((quarter) => isDown(quarter) && isDown(after(quarter)))
}

/**
 * The smallest sets of `useful` nodes that together reach every lost quarter, by name: `DFS3` and
 * `DFS4`, or `DFS3` and `DFS2, DFS4`. Sixteen sets to try; one that holds a smaller answer is none.
 */
export function curesOf(
  lost: readonly number[],
  nodes: readonly PageNode[],
  useful: readonly boolean[],
): string[][] {
  const answers: number[] = []
  for (const set of SETS_BY_SIZE) {
    const isUseful = [0, 1, 2, 3].every((node) => !has(set, node) || useful[node])
    const reaches = lost.every((quarter) => has(set, quarter) || has(set, after(quarter)))
    const isSmallest = !answers.some((answer) => (answer & set) === answer)
    if (isUseful && reaches && isSmallest) answers.push(set)
  }
  return answers.map((set) => nodes.filter((_, node) => has(set, node)).map((node) => node.name))
}

/** All sets of nodes as masks, small ones first. */
const SETS_BY_SIZE = Array.from({ length: 1 << QUARTER_COUNT }, (_, set) => set).sort(
  (a, b) => bitCount(a) - bitCount(b) || a - b,
)

function has(set: number, node: number): boolean {
  return (set & (1 << node)) !== 0
}

/** The node at the other end of quarter `node`. */
function after(node: number): number {
  return (node + 1) % QUARTER_COUNT
}

function bitCount(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length
}
