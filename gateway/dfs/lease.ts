// When the bytes of a large buffer may be given back at once instead of waiting for the collector.
// This module alone detaches buffers (a test sees to it): V8 answers tens of megabytes of dead
// external memory per second with full collections, and giving them back early nearly halves the
// gateway's time per byte. The price is that a use after release is an error, so a buffer with
// several users is lent to each of them, and is given back only when each has said so.

/**
 * Lends buffers that were made by the caller and are known to nobody but `holderCount` users, who
 * have all of them. Answers how each user says that it is done; saying so twice counts once, so
 * that nobody can take the memory from under another. After the last the buffers have no bytes.
 */
export function lend(buffers: readonly Uint8Array[], holderCount: number): (() => void)[] {
  let leftCount = holderCount
  return Array.from({ length: holderCount }, () => {
    let isHolding = true
    return () => {
      if (!isHolding) return
      isHolding = false
      leftCount--
      if (leftCount === 0) buffers.forEach(giveBack)
    }
  })
}

/** Gives a buffer back that nobody but the caller knows. */
export function giveBack(buffer: Uint8Array): void {
  // A slice of Node's shared pool must stay: others live in the same memory.
  if (buffer.byteLength !== buffer.buffer.byteLength) return
  if (buffer.buffer instanceof ArrayBuffer) buffer.buffer.transfer(0)
}
