// Searching and sorting over arrays of slots, without knowing what a slot is.

/**
 * The first index from `from` (inclusive) to `to` (exclusive) for which `isBeyond` holds, or `to`.
 * It must hold for all after the first.
 */
export function firstIndex(from: number, to: number, isBeyond: (index: number) => boolean): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBeyond(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** As `firstIndex`, for an answer that is likely to be near `from`: looks there first. */
export function nearIndex(from: number, to: number, isBeyond: (index: number) => boolean): number {
  let low = from
  for (let step = 1; low + step < to; step *= 2) {
    if (isBeyond(low + step)) return firstIndex(low, low + step, isBeyond)
    low += step
  }
  return firstIndex(low, to, isBeyond)
}

const DIGIT = 65_536

/**
 * The slots by a number of each (a whole one, from 0 to 2^53), smallest first; those with the same
 * number stay in the order in which they came. Sorting by digits of 16 bits: a million slots take
 * a few passes and not twenty million comparisons.
 */
export function sortedByNumber(slots: Int32Array, numberOf: Float64Array): Int32Array {
  let from = Int32Array.from(slots)
  let to = new Int32Array(slots.length)
  let greatest = 0
  for (const slot of slots) greatest = Math.max(greatest, numberOf[slot]!)
  for (let unit = 1; unit <= greatest; unit *= DIGIT) {
    const starts = new Uint32Array(DIGIT + 1)
    for (const slot of from) starts[(Math.floor(numberOf[slot]! / unit) % DIGIT) + 1]!++
    for (let digit = 0; digit < DIGIT; digit++) starts[digit + 1]! += starts[digit]!
    for (const slot of from) {
      const digit = Math.floor(numberOf[slot]! / unit) % DIGIT
      to[starts[digit]!++] = slot
    }
    const swap = from
    from = to
    to = swap
  }
  return from
}
