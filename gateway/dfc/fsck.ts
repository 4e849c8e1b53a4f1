// `fsck`: reads every copy of every file and says which are not whole, as a table or as JSON. Ends
// with 0 only where all copies were read and are whole.
import { DfsError } from '@fourfold/storage-node/protocol'
import type { FileCheck, Verdict } from '../dfs/copy-check.ts'
import { type Command, credentialsOf } from './grammar.ts'
import { repairText } from './nodes.ts'
import type { Session } from './session.ts'
import { say } from './terminal.ts'
import { countText, joinWords, numberText, sizeText, usageError, visibleText } from './voice.ts'

const SIZE_COLUMNS = 8
const STATE_COLUMNS = 14

const words: Record<Verdict, string> = {
  whole: 'whole',
  repairing: 'being repaired',
  unchecked: 'not all read',
  lost: 'lost',
}

type Counts = Record<Verdict, number>

/** @throws DfsError PARTS_UNAVAILABLE where not every copy is whole */
export async function fsck(session: Session, command: Command, signal: AbortSignal): Promise<void> {
  const { options } = command
  const checks =
    options['--all'] === true
      ? await checksOfAll(session, command, signal)
      : await checksOfUser(session, command, signal)
  const { stdout } = session.terminal
  const isJson = options['--json'] === true
  const counts: Counts = { whole: 0, repairing: 0, unchecked: 0, lost: 0 }
  let sizeBytes = 0
  let isFirst = true
  for await (const check of checks) {
    if (signal.aborted) throw new DfsError('ABORTED', 'Stopped.')
    counts[check.verdict]++
    sizeBytes += check.sizeBytes
    if (options['--quiet'] === true && check.verdict === 'whole') continue
    if (isFirst && !isJson) await say(stdout, columns('Copies', 'Size', 'State', 'Name'))
    isFirst = false
    await say(stdout, isJson ? JSON.stringify(check) : row(check))
  }
  const total = counts.whole + counts.repairing + counts.unchecked + counts.lost
  const sum = `${countText(total, 'file')}, ${sizeText(2 * sizeBytes)} read`
  const end = isJson ? session.terminal.stderr : stdout
  await say(end, `${sum}: ${verdictsText(counts)}.`)
  await tellRepair(session)
  if (counts.whole < total) throw failure(counts)
}

async function checksOfAll(session: Session, command: Command, signal: AbortSignal) {
  if (command.words.length > 0) throw usageError('fsck --all takes no USER.', 'fsck')
  return (await session.operatorStore(signal)).fsckAll(signal)
}

async function checksOfUser(session: Session, command: Command, signal: AbortSignal) {
  const typed = credentialsOf(command, command.words, command.words.length)
  const store = await session.store(signal)
  return store.fsck(await session.identity(typed, signal), signal)
}

function row(check: FileCheck): string {
  const { copies, sizeBytes, verdict, faults, user, name, file } = check
  const what = name === undefined ? `${user} ${file}` : visibleText(name)
  const line = columns(`${copies} of 8`, sizeText(sizeBytes), words[verdict], what)
  const why = faults.map(({ node, part, state }) => `part ${part} on ${node} is ${state}`)
  return why.length === 0 ? line : `${line} (${why.join(', ')})`
}

function columns(copies: string, size: string, state: string, name: string): string {
  const left = `${copies.padEnd(SIZE_COLUMNS)}  ${size.padStart(SIZE_COLUMNS)}`
  return `${left}  ${state.padEnd(STATE_COLUMNS)}  ${name}`
}

function verdictsText(counts: Counts): string {
  const told = Object.entries(words).flatMap(([verdict, word]) => {
    const count = counts[verdict as Verdict]
    return count === 0 ? [] : [`${numberText(count)} ${word}`]
  })
  return told.length === 0 ? 'nothing to verify' : joinWords(told, 'and')
}

/** What the nodes are mending, where there is a cluster key to ask them with. */
async function tellRepair(session: Session): Promise<void> {
  const store = await session.store()
  for (const { name, repair } of await store.nodesWithDisk()) {
    if (repair === undefined || repair.state === 'idle') continue
    await say(session.terminal.stderr, `dfc: ${name} repairs: ${repairText(repair)}`)
  }
}

function failure({ lost, repairing, unchecked }: Counts): DfsError {
  const [message, hint] =
    lost > 0
      ? [
          `Of ${countText(lost, 'file')} some part has no whole copy.`,
          'Look for old disks of those nodes.',
        ]
      : repairing > 0
        ? [
            `Of ${countText(repairing, 'file')} not all copies are whole; none is lost.`,
            'The nodes mend them from the other copies; dfc nodes shows how far they are.',
          ]
        : [
            `Of ${countText(unchecked, 'file')} not all copies could be read.`,
            'Start the nodes that are named, and try again.',
          ]
  return new DfsError('DAMAGED', message, { detail: { hint } })
}
