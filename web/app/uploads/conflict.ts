// A name that is there already: what is asked, and how the second of a name is called.
export type Answer = 'keep' | 'replace' | 'skip'

export interface Conflict {
  file: File
  name: string
  existing: { sizeBytes: number; modifiedMs: number } | undefined
  /** Conflicts that come after this one. */
  others: number
  answer(answer: Answer, isForAll: boolean): void
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
