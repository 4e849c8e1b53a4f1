// A node at each of its system calls that touch the disk for good: it is killed on entering the
// call, or the call fails. Creating, replacing, deleting and moving small and large files, one call
// after the other, until a change goes through that needs no more of them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { skipWithoutStrace, tamper } from '../support/strace.ts'
import { type Arena, startArena } from './arena.ts'
import { type Change, checkInstant } from './instant.ts'

/** Below what the gateway waits for a silent node, so that the nodes decide before it. */
const GRACE_MS = 400
/** No change needs more calls of one kind on one thread; of plain writes there are many. */
const MOST_CALLS = 12
const MOST_WRITES = 400

let arena: Arena

before(async () => {
  // One thread for files, so that the count of its calls is that of all.
  arena = await startArena({ graceMs: GRACE_MS, nodeEnv: { UV_THREADPOOL_SIZE: '1' } })
})

after(() => arena?.[Symbol.asyncDispose]())

const changes: [Change, 'small' | 'large'][] = [
  ['create', 'small'],
  ['overwrite', 'small'],
  ['delete', 'small'],
  ['create', 'large'],
  ['overwrite', 'large'],
  ['delete', 'large'],
  ['move', 'large'],
]

for (const [change, size] of changes) {
  for (const [what, calls] of [
    ['signal=SIGKILL', 'fsync,fdatasync,rename,link'],
    ['error=EIO', 'fsync,fdatasync,rename,link'],
    ['error=ENOSPC', 'pwrite64,rename,link'],
  ] as const) {
    test(`${change} of a ${size} file with ${what} at each of ${calls}`, {
      skip: skipWithoutStrace,
    }, async (t) => {
      const stories: string[] = []
      const isDense = !calls.startsWith('pwrite64')
      for (let when = 1; ; when += isDense ? 1 : Math.ceil(when / 2)) {
        assert.ok(when <= (isDense ? MOST_CALLS : MOST_WRITES))
        const number = (stories.length % 4) + 1
        const story = await tamperAt({ change, size, calls, what, when, number })
        if (story === undefined) break
        stories.push(story)
      }
      for (const story of stories) t.diagnostic(story)
    })
  }
}

interface Tampered {
  change: Change
  size: 'small' | 'large'
  calls: string
  what: string
  when: number
  /** The node, 1..4. */
  number: number
}

/** Answers what was told and seen; undefined where the change needs fewer calls. */
async function tamperAt(tampered: Tampered): Promise<string | undefined> {
  const { change, size, calls, what, when, number } = tampered
  const node = arena.cluster.nodes[number - 1]!
  let wasTouched = false
  const begin = async () => {
    const { pid } = node.process.child
    const strace = await tamper({ pid: pid!, calls, what, when: String(when) })
    return async () => {
      await strace[Symbol.asyncDispose]()
      wasTouched = strace.count() > 0 || hasEnded(node.process.child)
      // Whatever is in the memory of the process, the disk decides.
      await node.kill('SIGKILL')
      await node.start()
    }
  }
  const name = `${change} ${size} ${what} ${when}`
  const { told, seen } = await checkInstant(arena, { name, change, size, begin })
  if (!wasTouched) {
    assert.ok(told.status < 300, `${name}: ${told.status} ${told.code}`)
    return undefined
  }
  if (told.status >= 300 && told.code !== 'OUTCOME_UNKNOWN') {
    assert.deepEqual(told.nodes, [`DFS${number}`], `${name}: ${told.status} ${told.code}`)
  }
  return `call ${when}, DFS${number}: told ${told.status} ${told.code}: ${seen}`
}

function hasEnded(child: { exitCode: number | null; signalCode: NodeJS.Signals | null }): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
