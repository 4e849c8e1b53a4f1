// What a process has cost so far: processor seconds and peak memory, as Linux accounts them in
// /proc.
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
