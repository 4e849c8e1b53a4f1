// The kinds of work that are measured, each as one run that answers its figures. Knows no targets.
import { measureDisk, measureMd5, measureNginx, type Nginx } from './reference.ts'
import { DOWN_BYTES, runSlow } from './slow.ts'
import { fill, runSmall, type SmallLoad } from './small-load.ts'
import { measured, openStage, type Stage } from './stage.ts'
import { type Answer, contentMd5, get, postForm, put, putResumable } from './transfer.ts'

const MIB = 1_048_576
const GIB = 1024 * MIB

/** Named figures of one run; those of several runs become medians. */
export type Figures = Record<string, number>

export interface Grounds {
  /** A folder on the disk that is measured, and one in memory where there is one. */
  diskFolder: string
  memoryFolder: string
  disk: Stage
  memory: Stage
  nginx: Nginx | undefined
  sizeMib: number
  smallMs: number
}

export interface Work {
  name: string
  what: string
  /** Runs once, not in each round. */
  isOnce?: boolean
  run(grounds: Grounds): Promise<Figures>
}

export const works: readonly Work[] = [
  {
    name: 'dd',
    what: 'dd with fdatasync',
    run: async ({ diskFolder, sizeMib }) => ({ mbs: await measureDisk(diskFolder, sizeMib) }),
  },
  {
    name: 'md5',
    what: 'MD5 on one core',
    async run() {
      const { mbPerSecond, cpuPerGib } = measureMd5()
      return { mbs: mbPerSecond, cpu: cpuPerGib }
    },
  },
  {
    name: 'nginx',
    what: 'nginx: PUT without sync, GET',
    async run({ nginx, sizeMib }) {
      if (nginx === undefined) return {}
      const { put: sent, get: got } = await measureNginx(nginx, sizeMib)
      return { mbs: got, putMbs: sent }
    },
  },
  {
    name: 'upload-disk',
    what: 'upload, durable on the disk',
    run: ({ disk, sizeMib }) => upload(disk, sizeMib),
  },
  {
    name: 'upload-memory',
    what: 'upload, nodes in memory',
    run: ({ memory, sizeMib }) => upload(memory, sizeMib),
  },
  {
    name: 'form-memory',
    what: 'upload as a form, nodes in memory',
    async run({ memory, sizeMib }) {
      const bytes = sizeMib * MIB
      return transfer(memory, bytes, () => postForm(memory.target, 'form', bytes))
    },
  },
  {
    name: 'tus-memory',
    what: 'upload by tus, nodes in memory',
    async run({ memory, sizeMib }) {
      const bytes = sizeMib * MIB
      return transfer(memory, bytes, () => putResumable(memory.target, 'tus', bytes))
    },
  },
  {
    name: 'download',
    what: 'download, cached',
    async run({ memory, sizeMib }) {
      const bytes = sizeMib * MIB
      return transfer(memory, bytes, () => get(memory.target, '/files/large'))
    },
  },
  ...[64, 16, 1].map((connections) => smallWork('PUT', connections)),
  ...[64, 1].map((connections) => smallWork('GET', connections)),
  {
    name: 'tail',
    what: '4 KiB durable PUT, 4 connections, during an upload',
    async run({ disk, sizeMib }) {
      const large = put(disk.target, '/files/large', sizeMib * MIB)
      const { p50Ms, p99Ms } = await small(disk, 'PUT', 4, large)
      good(await large)
      return { p50Ms: p50Ms!, p99Ms: p99Ms! }
    },
  },
  {
    name: 'many',
    what: '64 × 64 MiB up, then down, at once',
    isOnce: true,
    async run({ diskFolder, sizeMib }) {
      await using stage = await openStage({ parent: diskFolder, warm: 'nothing' })
      const bytes = Math.max(8, sizeMib / 16) * MIB
      const all = Array.from({ length: 64 }, (_, number) => `/files/many-${number}`)
      const up = await transfer(stage, bytes * all.length, async () => {
        const answers = await Promise.all(all.map((path) => put(stage.target, path, bytes)))
        return answers.map(good)[0]!
      })
      const down = await transfer(stage, bytes * all.length, async () => {
        const answers = await Promise.all(all.map((path) => get(stage.target, path)))
        return answers.map(good)[0]!
      })
      return { ...down, putMbs: up.mbs! }
    },
  },
  {
    name: 'growth',
    what: 'memory for 4 GiB up and down, and for 64 MiB',
    isOnce: true,
    async run({ diskFolder, sizeMib }) {
      const small = await peaksOf(diskFolder, 64)
      const large = await peaksOf(diskFolder, sizeMib * 4)
      return {
        ...large,
        gatewayGrowth: large.gatewayPeakMib / small.gatewayPeakMib,
        nodeGrowth: large.nodePeakMib / small.nodePeakMib,
      }
    },
  },
  {
    name: 'slow',
    what: '1,000 slow transfers at once',
    isOnce: true,
    async run({ diskFolder }) {
      // One user stands for many here; tests/faults/slow-crowd.fault.ts has fifty.
      const dfcConf = 'limits.user_transfers = 1024'
      await using stage = await openStage({ parent: diskFolder, warm: 'nothing', dfcConf })
      good(await put(stage.target, '/files/slow', DOWN_BYTES))
      const { result, spent } = await measured(stage, () => runSlow(stage.target, '/files/slow'))
      const { seconds, gatewayPeakMib, nodePeakMib } = spent
      return { ...result, seconds, gatewayPeakMib, nodePeakMib }
    },
  },
]

function smallWork(method: 'PUT' | 'GET', connections: number): Work {
  const kind = method === 'PUT' ? '4 KiB durable PUT' : '4 KiB GET'
  const many = connections === 1 ? '1 connection' : `${connections} connections`
  return {
    name: `${method.toLowerCase()}-${connections}`,
    what: `${kind}, ${many}`,
    run: ({ disk, smallMs }) => small(disk, method, connections, smallMs),
  }
}

async function small(
  stage: Stage,
  method: SmallLoad['method'],
  connections: number,
  lasts: SmallLoad['lasts'],
): Promise<Figures> {
  const { target } = stage
  const load = { target, method, connections, lasts, path: '/files/small-{name}' }
  if (method === 'GET') await fill(load)
  const { result, spent } = await measured(stage, () => runSmall(load))
  if (result.failures > 0) throw new Error(`${result.failures} of ${result.count} failed`)
  const { perSecond, p50Ms, p99Ms, count } = result
  const gatewayUs = (spent.gatewayCpu / count) * 1e6
  const nodesUs = (spent.nodesCpu / count) * 1e6
  return { perSecond, p50Ms, p99Ms, gatewayUs, nodesUs }
}

async function upload(stage: Stage, sizeMib: number): Promise<Figures> {
  const bytes = sizeMib * MIB
  let head = ''
  const figures = await transfer(stage, bytes, async () => {
    const answer = await put(stage.target, '/files/large', bytes)
    head = answer.head
    return answer
  })
  if (!head.includes(contentMd5(bytes))) throw new Error('the MD5 in the answer is another one')
  return figures
}

/** Peak memory of processes that do nothing but take one file and give it back. */
async function peaksOf(parent: string, sizeMib: number) {
  await using stage = await openStage({ parent, warm: 'nothing' })
  const { spent } = await measured(stage, async () => {
    good(await put(stage.target, '/files/growth', sizeMib * MIB))
    return good(await get(stage.target, '/files/growth'))
  })
  const { gatewayPeakMib, nodePeakMib } = spent
  return { gatewayPeakMib, nodePeakMib }
}

async function transfer(stage: Stage, bytes: number, run: () => Promise<Answer>): Promise<Figures> {
  const { spent } = await measured(stage, async () => good(await run()))
  const { seconds, gatewayCpu, nodesCpu, gatewayPeakMib, nodePeakMib } = spent
  const gib = bytes / GIB
  return {
    mbs: bytes / 1e6 / seconds,
    gatewayCpu: gatewayCpu / gib,
    nodesCpu: nodesCpu / gib,
    cpu: (gatewayCpu + nodesCpu) / gib,
    gatewayPeakMib,
    nodePeakMib,
  }
}

function good(answer: Answer): Answer {
  if (answer.status < 300) return answer
  throw new Error(`a transfer was answered with ${answer.status}`)
}
