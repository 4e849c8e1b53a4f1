// What each file may hold, told only from requests and their answers: the writes of each name with
// their begin and end, the looks at it, and what the next look may show. Knows no cluster.
//
// A write that ended before an acknowledged one began is over: nobody may see it again. The same
// where a look began after it ended and showed something else, so that what was seen stays.

/** MD5 of the content, or that there is no file. */
export type Value = string

export const ABSENT: Value = 'absent'

/** How a write ended: it counts, it never will, or nobody knows. */
export type Verdict = 'acknowledged' | 'refused' | 'unknown'

export interface Write {
  value: Value
  startMs: number
  /** Infinity while it may still take effect. */
  endMs: number
  isAcknowledged: boolean
  /** It was to happen only where there was no file. */
  isCreation: boolean
  /** Who it was, for people. */
  what: string
}

interface Look {
  value: Value
  startMs: number
  endMs: number
  what: string
}

interface Register {
  writes: Write[]
  looks: Look[]
  /** When a write was last refused, and when for the nodes' sake: that may have left something. */
  refusedMs: number
  failedMs: number
}

/** No request lasts longer. */
const FORGET_AFTER_MS = 60_000
/** How long a version that is only prepared stands in the way of conditional writes. */
const PENDING_MS = 5 * 60_000

export type Model = ReturnType<typeof createModel>

/** @param graceMs how long after a broken answer a write may still take effect */
export function createModel(graceMs: number) {
  const registers = new Map<string, Register>()

  function registerOf(name: string): Register {
    const known = registers.get(name)
    if (known !== undefined) return known
    const times = { startMs: -1, endMs: -1 }
    const first = { value: ABSENT, what: 'the beginning', isCreation: false, ...times }
    const register = {
      writes: [{ ...first, isAcknowledged: true }],
      looks: [],
      refusedMs: -1e9,
      failedMs: -1e9,
    }
    registers.set(name, register)
    return register
  }

  function begin(
    name: string,
    { value, what, isCreation = false }: { value: Value; what: string; isCreation?: boolean },
  ): Write {
    const times = { startMs: performance.now(), endMs: Number.POSITIVE_INFINITY }
    const write = { value, what, isCreation, ...times, isAcknowledged: false }
    registerOf(name).writes.push(write)
    return write
  }

  /** @throws Error where two creations of one name both won */
  function end(name: string, write: Write, verdict: Verdict): void {
    const nowMs = performance.now()
    const register = registerOf(name)
    const { writes } = register
    if (verdict === 'refused') {
      register.refusedMs = nowMs
      writes.splice(writes.indexOf(write), 1)
      return
    }
    write.endMs = verdict === 'acknowledged' ? nowMs : nowMs + graceMs
    write.isAcknowledged = verdict === 'acknowledged'
    if (write.isAcknowledged && write.isCreation) requireOneWinner(name, write)
    forget(name)
  }

  /** Two that both found no file overlap, and nothing was deleted in between. */
  function requireOneWinner(name: string, write: Write): void {
    const others = registerOf(name).writes.filter((other) => {
      return other !== write && other.endMs > write.startMs
    })
    const rival = others.find((other) => other.isAcknowledged && other.isCreation)
    if (rival === undefined || others.some(({ value }) => value === ABSENT)) return
    throw new Error(`${write.what} and ${rival.what} both created ${name}\n${history(name)}`)
  }

  function isOver(register: Register, write: Write, beforeMs: number): boolean {
    const { writes, looks } = register
    const isReplaced = writes.some(({ isAcknowledged, startMs, endMs }) => {
      return isAcknowledged && startMs > write.endMs && endMs <= beforeMs
    })
    const isMissed = looks.some(({ value, startMs, endMs }) => {
      return value !== write.value && startMs > write.endMs && endMs <= beforeMs
    })
    return isReplaced || isMissed
  }

  /** What a look that began at `startMs` and ends now may show. */
  function allowed(name: string, startMs: number): Set<Value> {
    const register = registerOf(name)
    const possible = register.writes.filter((write) => !isOver(register, write, startMs))
    return new Set(possible.map(({ value }) => value))
  }

  /** @throws Error where what was seen from `startMs` until now cannot be */
  function saw(name: string, look: { value: Value; startMs: number; what: string }): void {
    const { value, startMs, what } = look
    const may = allowed(name, startMs)
    if (!may.has(value)) {
      const expected = [...may].join(' or ')
      throw new Error(`${what}: ${name} is ${value}, not ${expected}\n${history(name)}`)
    }
    registerOf(name).looks.push({ ...look, endMs: performance.now() })
    forget(name)
  }

  /** A write was refused or broke off because of nodes, and may have left something prepared. */
  function failed(name: string): void {
    registerOf(name).failedMs = performance.now()
  }

  /** Whether another write may stand in the way of a conditional one that began at `startMs`. */
  function isContested(name: string, startMs: number): boolean {
    const { writes, refusedMs, failedMs } = registerOf(name)
    if (refusedMs > startMs || performance.now() - failedMs < PENDING_MS) return true
    return writes.filter(({ endMs }) => endMs > startMs).length > 1
  }

  function history(name: string): string {
    const { writes, looks } = registerOf(name)
    const ms = (time: number) => (Number.isFinite(time) ? time.toFixed(0) : 'open')
    const lines = [
      ...writes.map((write) => {
        const { isAcknowledged, value, what } = write
        return {
          ...write,
          text: `${isAcknowledged ? 'wrote' : 'may have written'} ${value}: ${what}`,
        }
      }),
      ...looks.map((look) => ({ ...look, text: `saw ${look.value}: ${look.what}` })),
    ]
    return lines
      .sort((a, b) => a.startMs - b.startMs)
      .map(({ startMs, endMs, text }) => `    ${ms(startMs)}..${ms(endMs)} ms ${text}`)
      .join('\n')
  }

  /** Drops what no look that is still under way could show. */
  function forget(name: string): void {
    const register = registerOf(name)
    const beforeMs = performance.now() - FORGET_AFTER_MS
    register.writes = register.writes.filter((write) => !isOver(register, write, beforeMs))
    register.looks = register.looks.slice(-20)
  }

  return {
    begin,
    end,
    allowed,
    saw,
    failed,
    isContested,
    history,
    names: () => [...registers.keys()],
  }
}
