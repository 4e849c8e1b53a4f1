// A name that is there already: what is asked, and how the second of a name is called.
import type { Incoming } from '../incoming.ts'

export type Answer = 'keep' | 'replace' | 'skip'

/** A name that waits for an answer. */
export interface Clash extends Incoming {
  /** The file that is here; undefined while it is being uploaded. */
  existing: { sizeBytes: number; modifiedMs: number } | undefined
  resolve(answer: Answer): void
}

/** `lab-3.pcapng` becomes `lab-3 (2).pcapng`, or the first number that is free. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  const slash = name.lastIndexOf('/') + 1
  const dot = name.lastIndexOf('.')
  // A name that begins with its only dot has no ending.
  const end = dot > slash ? dot : name.length
  for (let number = 2; ; number++) {
    const free = `${name.slice(0, end)} (${number})${name.slice(end)}`
    if (!taken.has(free)) return free
  }
}
