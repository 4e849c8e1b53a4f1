// Which nodes have just the files that are known here already, each with the parts that belong to
// it. With many files most nodes do, and are asked for a digest instead of a million entries.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { addDigests } from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster } from './cluster.ts'
import type { FileTable } from './file-table.ts'
import type { Identity } from './identity.ts'

/** Files at a time: milliseconds of work. */
const SLICE_FILES = 20_000

/**
 * Of `nodes` (0..3) those that have what `table` says, and the cursor up to which each has told
 * nothing else. One that does not answer is not among them.
 */
export async function nodesWithSameFiles(
  cluster: Cluster,
  options: { identity: Identity; nodes: readonly number[]; table: FileTable },
): Promise<{ node: number; next: number }[]> {
  const { identity, nodes, table } = options
  const as = { by: 'user', identity } as const
  const answers = await Promise.all(
    nodes.map((node) =>
      cluster.call(node, { op: 'digest', fields: {}, as }).then(
        ({ header }) => ({ node, ...header }),
        () => undefined,
      ),
    ),
  )
  // A node that has nothing yet would be compared anew at each listing.
  const told = answers.flatMap((answer) => (answer?.digest ? [answer] : []))
  if (told.length === 0) return []
  const expected = await digestsOf(table)
  return told.filter(({ node, digest }) => digest === expected[node])
}

/** What each node's entries of these files add up to where it has all parts that belong there. */
async function digestsOf(table: FileTable): Promise<number[]> {
  const digests = ALL_NODES.map(() => 0)
  for (let from = 0; from < table.count; from += SLICE_FILES) {
    const to = Math.min(from + SLICE_FILES, table.count)
    for (const [node, digest] of table.wholeDigests(from, to).entries()) {
      digests[node] = addDigests(digests[node]!, digest)
    }
    await nextTurn()
  }
  return digests
}
