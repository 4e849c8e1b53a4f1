// The ring of eight half-arcs: which copies of a file are there, as geometry and as a verdict.
// Plain arithmetic on the 8-bit `copies` mask; knows nothing of Svelte, colours or the nodes'
// names. Node q stands at q * 90 degrees, clockwise from 12 o'clock. Quarter q joins node q and
// node q+1; bit 2q of the mask is its copy on node q, bit 2q+1 its copy on node q+1.

export const QUARTER_COUNT = 4

/** All eight copies are there. */
export const ALL_COPIES = 0b1111_1111

/** One quarter: both copies, one of them, or none. */
export type QuarterState = 'whole' | 'thin' | 'lost'

/**
 * What an arc stands for: two copies, the last copy, the absent twin of a last copy, no copy at
 * all.
 */
export type ArcKind = 'two' | 'last' | 'absent' | 'lost'

export interface ArcPath {
  kind: ArcKind
  /** Path data inside a box of RING_BOX units. */
  d: string
}

/** Side of the drawing's square. */
export const RING_BOX = 24

const CENTRE = RING_BOX / 2
/** Leaves room for the thickest stroke inside the box. */
const RADIUS = 8.8
/** Degrees left free on either side of a node, so that four quarters can be counted. */
const GAP_DEGREES = 13

/** State of quarter `quarter` (0..3) under `copies`. */
export function quarterState(copies: number, quarter: number): QuarterState {
  const pair = (copies >> (2 * quarter)) & 0b11
  if (pair === 0b11) return 'whole'
  return pair === 0 ? 'lost' : 'thin'
}

/** The worst quarter: it alone decides whether a file can be read and how safe it is. */
export function ringState(copies: number): QuarterState {
  let worst: QuarterState = 'whole'
  for (let quarter = 0; quarter < QUARTER_COUNT; quarter += 1) {
    const state = quarterState(copies, quarter)
    if (state === 'lost') return 'lost'
    if (state === 'thin') worst = 'thin'
  }
  return worst
}

/** The copies that a wholly kept file has while exactly these nodes (0..3) answer. */
export function copiesOnNodes(isUp: readonly boolean[]): number {
  let copies = 0
  for (let quarter = 0; quarter < QUARTER_COUNT; quarter += 1) {
    if (isUp[quarter]) copies |= 1 << (2 * quarter)
    if (isUp[(quarter + 1) % QUARTER_COUNT]) copies |= 1 << (2 * quarter + 1)
  }
  return copies
}

/** The drawing: one path for each kind that occurs, so that a row costs few elements. */
export function ringPaths(copies: number): ArcPath[] {
  const paths = new Map<ArcKind, string>()
  const add = (kind: ArcKind, d: string) => paths.set(kind, (paths.get(kind) ?? '') + d)
  for (let quarter = 0; quarter < QUARTER_COUNT; quarter += 1) {
    const start = quarter * 90 + GAP_DEGREES
    const middle = quarter * 90 + 45
    const end = (quarter + 1) * 90 - GAP_DEGREES
    const state = quarterState(copies, quarter)
    if (state === 'whole') add('two', arc(start, end))
    else if (state === 'lost') add('lost', arc(start, end))
    else {
      const isFirstHere = (copies & (1 << (2 * quarter))) !== 0
      add(isFirstHere ? 'last' : 'absent', arc(start, middle))
      add(isFirstHere ? 'absent' : 'last', arc(middle, end))
    }
  }
  return [...paths].map(([kind, d]) => ({ kind, d }))
}

/** Path data of the arc between two angles, degrees clockwise from 12 o'clock. */
function arc(fromDegrees: number, toDegrees: number): string {
  return `M${point(fromDegrees)}A${RADIUS} ${RADIUS} 0 0 1 ${point(toDegrees)}`
}

function point(degrees: number): string {
  const radians = ((degrees - 90) * Math.PI) / 180
  const x = CENTRE + RADIUS * Math.cos(radians)
  const y = CENTRE + RADIUS * Math.sin(radians)
  return `${x.toFixed(2)} ${y.toFixed(2)}`
}
