// What processes have cost so far: processor seconds and peak memory, as Linux accounts them in
// /proc. A gateway's workers count with it.
import { readFileSync } from 'node:fs'

/** Clock ticks per second of /proc/<pid>/stat; 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100

export interface Cost {
  cpuSeconds: number
  peakRssBytes: number
}

export function costOf(pid: number): Cost {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const peak = status.match(/^VmHWM:\s+(\d+) kB/m)
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    peakRssBytes: Number(peak?.[1] ?? 0) * 1024,
  }
}

/** A process and its children that are alive, summed. */
export function costOfFamily(pid: number): Cost {
  const costs = [pid, ...childrenOf(pid)].map(costOf)
  return {
    cpuSeconds: costs.reduce((sum, cost) => sum + cost.cpuSeconds, 0),
    peakRssBytes: costs.reduce((sum, cost) => sum + cost.peakRssBytes, 0),
  }
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').filter(Boolean).map(Number)
}
