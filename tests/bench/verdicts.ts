// The targets, and whether the medians of a run reach them. What a target is compared with was
// measured in the same run, so that a slow hour of the machine does not decide.
import type { Figures } from './works.ts'

export interface Verdict {
  what: string
  is: string
  target: string
  isMet: boolean
}

type Medians = ReadonlyMap<string, Figures>

interface Target {
  what: string
  /** The figure, and what it must reach; undefined where something for it was not measured. */
  judge(figure: (work: string, name: string) => number | undefined): Judged | undefined
}

interface Judged {
  is: string
  target: string
  isMet: boolean
}

const round = (value: number, digits = 2) => Number(value.toFixed(digits))

/** `value` ÷ `base`, which must be at least `least`. */
function share(value: number | undefined, base: number | undefined, least: number) {
  if (value === undefined || base === undefined) return undefined
  const ratio = value / base
  return { is: String(round(ratio)), target: `≥ ${least}`, isMet: ratio >= least }
}

function atLeast(value: number | undefined, least: number, unit: string) {
  if (value === undefined) return undefined
  return { is: `${Math.round(value)} ${unit}`, target: `≥ ${least} ${unit}`, isMet: value >= least }
}

function atMost(value: number | undefined, most: number, unit: string) {
  if (value === undefined) return undefined
  return { is: `${round(value)} ${unit}`, target: `≤ ${most} ${unit}`, isMet: value <= most }
}

const targets: readonly Target[] = [
  {
    what: 'upload on the disk ÷ min(dd ÷ 2, upload in memory)',
    judge(figure) {
      const [disk, memory] = [figure('dd', 'mbs'), figure('upload-memory', 'mbs')]
      const limit = disk && memory && Math.min(disk / 2, memory)
      return share(figure('upload-disk', 'mbs'), limit, 0.75)
    },
  },
  {
    what: 'upload in memory ÷ MD5 on one core',
    judge: (figure) => share(figure('upload-memory', 'mbs'), figure('md5', 'mbs'), 0.5),
  },
  {
    what: 'upload in memory, CPU of gateway and nodes',
    judge: (figure) => atMost(figure('upload-memory', 'cpu'), 5, 's/GiB'),
  },
  {
    what: 'upload as a form ÷ raw',
    judge: (figure) => share(figure('form-memory', 'mbs'), figure('upload-memory', 'mbs'), 0.9),
  },
  {
    what: 'download ÷ nginx',
    judge: (figure) => share(figure('download', 'mbs'), figure('nginx', 'mbs'), 0.5),
  },
  {
    what: 'download, CPU of gateway and nodes',
    judge: (figure) => atMost(figure('download', 'cpu'), 1.6, 's/GiB'),
  },
  ...(
    [
      ['put-64', 5000],
      ['put-16', 3000],
      ['put-1', 700],
      ['get-64', 12_000],
      ['get-1', 2500],
    ] as const
  ).map(([work, least]) => {
    const what = `4 KiB ${work.slice(0, 3).toUpperCase()}, ${work.slice(4)} at once`
    return {
      what,
      judge: (figure: Parameters<Target['judge']>[0]) =>
        atLeast(figure(work, 'perSecond'), least, '/s'),
    }
  }),
  {
    what: 'p99 of a 4 KiB durable PUT during an upload',
    judge: (figure) => atMost(figure('tail', 'p99Ms'), 150, 'ms'),
  },
  {
    what: '64 transfers at once, gateway memory',
    judge: (figure) => atMost(figure('many', 'gatewayPeakMib'), 350, 'MiB'),
  },
  {
    what: '64 transfers at once, memory of a node',
    judge: (figure) => atMost(figure('many', 'nodePeakMib'), 128, 'MiB'),
  },
  {
    what: 'memory for 4 GiB ÷ for 64 MiB, gateway',
    judge: (figure) => atMost(figure('growth', 'gatewayGrowth'), 1.5, 'times'),
  },
  {
    what: 'memory for 4 GiB ÷ for 64 MiB, node',
    judge: (figure) => atMost(figure('growth', 'nodeGrowth'), 1.5, 'times'),
  },
  {
    what: '1,000 slow transfers, gateway memory',
    judge: (figure) => atMost(figure('slow', 'gatewayPeakMib'), 1024, 'MiB'),
  },
  {
    what: '1,000 slow transfers, those that were starved',
    judge: (figure) => atMost(figure('slow', 'starved'), 0, 'transfers'),
  },
]

/** One verdict for each target whose figures were measured. */
export function judge(medians: Medians): Verdict[] {
  const figure = (work: string, name: string) => medians.get(work)?.[name]
  return targets.flatMap((target) => {
    const judged = target.judge(figure)
    return judged === undefined ? [] : [{ what: target.what, ...judged }]
  })
}

/** The median of each figure over several runs. */
export function mediansOf(runs: readonly Figures[]): Figures {
  const names = new Set(runs.flatMap((run) => Object.keys(run)))
  return Object.fromEntries([...names].map((name) => [name, median(runs, name)]))
}

function median(runs: readonly Figures[], name: string): number {
  const values = runs.flatMap((run) => run[name] ?? []).sort((a, b) => a - b)
  const half = values.length >> 1
  return values.length % 2 === 1 ? values[half]! : (values[half - 1]! + values[half]!) / 2
}
