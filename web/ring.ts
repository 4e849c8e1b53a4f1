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

/** Measures of a drawing, in its own units. */
export interface RingShape {
  /** Side of the square. */
  box: number
  radius: number
  /** Left free on either side of a node, so that four quarters can be counted. */
  gapDegrees: number
}

/** Leaves room for the thickest stroke inside the box. */
const SMALL: RingShape = { box: RING_BOX, radius: 8.8, gapDegrees: 13 }

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
export function ringPaths(copies: number, shape: RingShape = SMALL): ArcPath[] {
  const paths = new Map<ArcKind, string>()
  const add = (kind: ArcKind, d: string) => paths.set(kind, (paths.get(kind) ?? '') + d)
  for (let quarter = 0; quarter < QUARTER_COUNT; quarter += 1) {
    const start = quarter * 90 + shape.gapDegrees
    const middle = quarter * 90 + 45
    const end = (quarter + 1) * 90 - shape.gapDegrees
    const state = quarterState(copies, quarter)
    if (state === 'whole') add('two', arc(shape, start, end))
    else if (state === 'lost') add('lost', arc(shape, start, end))
    else {
      const isFirstHere = (copies & (1 << (2 * quarter))) !== 0
      add(isFirstHere ? 'last' : 'absent', arc(shape, start, middle))
      add(isFirstHere ? 'absent' : 'last', arc(shape, middle, end))
    }
  }
  return [...paths].map(([kind, d]) => ({ kind, d }))
}

/** Path data of the arc between two angles, degrees clockwise from 12 o'clock. */
function arc(shape: RingShape, fromDegrees: number, toDegrees: number): string {
  const [from, to] = [fromDegrees, toDegrees].map((degrees) =>
    ringPoint(shape, degrees)
      .map((value) => value.toFixed(2))
      .join(' '),
  )
  return `M${from}A${shape.radius} ${shape.radius} 0 0 1 ${to}`
}

/** Where the angle, degrees clockwise from 12 o'clock, meets the circle: x and y. */
export function ringPoint(
  { box, radius }: Pick<RingShape, 'box' | 'radius'>,
  degrees: number,
): [number, number] {
  const radians = ((degrees - 90) * Math.PI) / 180
  return [box / 2 + radius * Math.cos(radians), box / 2 + radius * Math.sin(radians)]
}

/** The copies to draw for a fraction of a whole: half-arcs fill clockwise. */
export function filledCopies(fraction: number): number {
  const count = Math.max(0, Math.min(8, Math.round(fraction * 8)))
  return (1 << count) - 1
}
