// Uploads with the real tus-js-client that break off and go on, as seeds say: the client gives up,
// a gateway is killed, another one takes over, a node is restarted. At the end of each the file is
// compared, and at the end of all what the nodes hold.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Upload } from 'tus-js-client'
import { basic, call, PASSWORD, USER } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from './cluster.ts'
import { ROW, seededBytes, sha256Hex } from './content.ts'
import { below, type Random, randomOf } from './random.ts'

/** A client that gets no further for so long has failed. */
const STUCK_MS = 60_000
const RETRY_DELAYS_MS = [100, 300, 1000, 2000, 4000]

type Trouble = 'give up' | 'other gateway' | 'kill gateway' | 'restart node'

export interface Trials extends AsyncDisposable {
  /** One upload with its troubles; answers them, in order. */
  run(seed: number): Promise<Trouble[]>
  /** Addresses of the two gateways that live now. */
  urls(): string[]
  /** What the nodes have beside the files themselves must be nothing. */
  checkNothingLeft(): Promise<void>
}

/** A cluster of its own for trials. */
export async function startTrials(): Promise<Trials> {
  const cluster = await startCluster({ gateways: 2 })
  try {
    await cluster.addUser(USER, PASSWORD)
    return trialsOn(cluster)
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

/** Trials on a cluster that has its last two gateways, a user and no file. */
export function trialsOn(cluster: TestCluster): Trials {
  const gateways = [-2, -1].map((at) => {
    const index = cluster.urls.length + at
    return { index, url: cluster.urls[index]! }
  })
  let storedBytes = 0
  return {
    async run(seed) {
      const random = randomOf(seed)
      const bytes = seededBytes(`resume ${seed}`, sizeOf(random))
      const trial = { cluster, gateways, random, seed, bytes }
      const troubles = await uploadWithTroubles(trial)
      const { url } = gateways[below(gateways.length, random)]!
      const file = await eventually(() => call(`${url}/files/trial-${seed}`), 200)
      assert.equal(file.body.length, bytes.length, `seed ${seed}`)
      assert.equal(sha256Hex(file.body), sha256Hex(bytes), `seed ${seed}`)
      storedBytes += sealedBytes(bytes.length)
      return troubles
    },
    urls: () => gateways.map(({ url }) => url),
    checkNothingLeft: () => checkNothingLeft(cluster, gateways[0]!.url, storedBytes),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
}

interface Gateway {
  index: number
  url: string
}

interface Trial {
  cluster: TestCluster
  gateways: Gateway[]
  random: Random
  seed: number
  bytes: Buffer
}

/** Around the boundaries as often as anywhere. */
function sizeOf(random: Random): number {
  const rows = below(6, random)
  const around = [0, 1, -1, 5, below(ROW, random)][below(5, random)]!
  return Math.max(0, rows * ROW + around)
}

async function uploadWithTroubles(trial: Trial): Promise<Trouble[]> {
  const { random, bytes } = trial
  const count = below(4, random)
  const points = Array.from({ length: count }, () => below(bytes.length + 1, random)).sort(
    (one, two) => one - two,
  )
  const done: Trouble[] = []
  let address: string | undefined
  let at = below(trial.gateways.length, random)
  for (const point of [...points, Number.POSITIVE_INFINITY]) {
    const { url } = trial.gateways[at]!
    address = address === undefined ? undefined : new URL(new URL(address).pathname, url).href
    const step = await uploadUntil(trial, { url, address, point })
    address = step.address
    if (step.isDone) break
    const troubles: Trouble[] = ['give up', 'other gateway', 'kill gateway', 'restart node']
    const trouble = troubles[below(troubles.length, random)]!
    done.push(trouble)
    await step.end(() => befall(trial, trouble, at))
    if (trouble === 'other gateway' || trouble === 'kill gateway') at = 1 - at
  }
  return done
}

/** What happens while bytes are under way. */
async function befall(trial: Trial, trouble: Trouble, at: number): Promise<void> {
  const { cluster, gateways, random } = trial
  if (trouble === 'kill gateway') {
    const gateway = gateways[at]!
    await cluster.gateways[gateway.index]!.kill('SIGKILL')
    const url = await cluster.startGateway()
    gateways[at] = { index: cluster.gateways.length - 1, url }
  } else if (trouble === 'restart node') {
    const node = cluster.nodes[below(4, random)]!
    await node.kill()
    await node.start()
  }
}

interface Step {
  address: string | undefined
  isDone: boolean
  /** Lets `trouble` happen while the client is at work, and then makes it give up. */
  end(trouble: () => Promise<void>): Promise<void>
}

/** Sends until `point` bytes are on their way, or to the end. */
function uploadUntil(
  { random, seed, bytes }: Trial,
  { url, address, point }: { url: string; address: string | undefined; point: number },
): Promise<Step> {
  const patchBytes = [Number.POSITIVE_INFINITY, ROW, 700_001, 65_537][below(4, random)]!
  return new Promise((resolve, reject) => {
    const stuck = setTimeout(() => {
      void upload.abort()
      reject(new Error(`seed ${seed}: the client is stuck`))
    }, STUCK_MS)
    const settle = (isDone: boolean) => {
      clearTimeout(stuck)
      resolve({
        address: upload.url ?? address,
        isDone,
        async end(trouble) {
          await Promise.all([trouble(), pause(below(30, random)).then(() => upload.abort())])
        },
      })
    }
    const upload = new Upload(bytes, {
      // Only the first time may it make a new upload: to forget one that is there is a failure.
      ...(address === undefined ? { endpoint: `${url}/uploads` } : { uploadUrl: address }),
      headers: { authorization: basic(USER, PASSWORD) },
      chunkSize: patchBytes,
      retryDelays: RETRY_DELAYS_MS,
      metadata: { filename: `trial-${seed}` },
      onProgress(sentBytes) {
        stuck.refresh()
        if (sentBytes >= point) settle(false)
      },
      onSuccess: () => settle(true),
      onError(error) {
        clearTimeout(stuck)
        reject(new Error(`seed ${seed}: ${error.message}`))
      },
    })
    upload.start()
  })
}

/** What both copies of all parts of a file take. */
function sealedBytes(sizeBytes: number): number {
  const rowCount = Math.max(1, Math.ceil(sizeBytes / ROW))
  return 2 * (sizeBytes + rowCount * 16)
}

async function checkNothingLeft(
  cluster: TestCluster,
  url: string,
  storedBytes: number,
): Promise<void> {
  const unfinished = await eventually(() => call(`${url}/uploads`), 200)
  assert.deepEqual(unfinished.json, { uploads: [] })
  for (const { folder } of cluster.nodes) assert.deepEqual(readdirSync(`${folder}/staging`), [])
  const { body } = await call(`${url}/nodes`)
  const nodes = JSON.parse(body.toString()).nodes as { storedBytes: number }[]
  const sum = nodes.reduce((bytes, node) => bytes + node.storedBytes, 0)
  assert.equal(sum, storedBytes)
  assert.ok(existsSync(cluster.folder))
}

/** Nodes and gateways that just started take a moment to know each other. */
async function eventually<T extends { status: number; text: string }>(
  ask: () => Promise<T>,
  status: number,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    const answer = await ask()
    if (answer.status === status) return answer
    if (answer.status !== 503 || tries === 100) assert.equal(answer.status, status, answer.text)
    await pause(100)
  }
}
