// `get`: a file of the store onto this machine, or to standard output.
import { createHash } from 'node:crypto'
import type { Download } from '../dfs/store.ts'
import { type Command, targetOf } from './grammar.ts'
import { destinationOf, existsError, standingOf, targetPath, writeWhole } from './local-file.ts'
import { partBytes, removeOtherParts, wrongContent } from './part-file.ts'
import { createProgress, type Progress } from './progress.ts'
import { askYes } from './questions.ts'
import type { Session } from './session.ts'
import { say, write } from './terminal.ts'
import { sizeText, visibleText } from './voice.ts'

/** @throws DfsError, ReaderGone */
export async function get(session: Session, command: Command, signal: AbortSignal): Promise<void> {
  const { name, credentials } = targetOf(command)
  const output = command.options['-o']
  const path = output === '-' ? undefined : await targetPath(name, output as string | undefined)
  const mayReplace = path !== undefined && (await settleReplacing(session, command, path, signal))
  if (path !== undefined && mayReplace === 'kept') return

  const store = await session.store(signal)
  const identity = await session.identity(credentials, signal)
  // Whatever goes wrong on this side, giving up the signal frees what the download holds.
  const ours = new AbortController()
  try {
    const isFile = path !== undefined && (await standingOf(path)) !== 'device'
    const destination = isFile ? await destinationOf(path) : undefined
    let fromBytes = 0
    const download = await store.download(identity, {
      name,
      signal: AbortSignal.any([signal, ours.signal]),
      // What a broken download of the same bytes left is not fetched again.
      choose({ md5, sizeBytes }) {
        if (destination === undefined) return 'all'
        fromBytes = partBytes({ path: destination, md5 }, sizeBytes)
        if (fromBytes === 0) return 'all'
        return fromBytes === sizeBytes ? 'nothing' : [{ from: fromBytes, to: sizeBytes - 1 }]
      },
    })
    const target = { path, mayReplace: mayReplace === true, signal }
    const { md5 } = download.file
    if (destination !== undefined) await removeOtherParts({ path: destination, md5 })
    await receive(session, download, { ...target, goOn: isFile ? { md5, fromBytes } : undefined })
  } catch (error) {
    ours.abort(error)
    throw error
  }
}

interface ReceiveTarget {
  path: string | undefined
  mayReplace: boolean
  signal: AbortSignal
  /** Undefined where the bytes go to no file that could be gone on with. */
  goOn: { md5: string; fromBytes: number } | undefined
}

async function receive(
  session: Session,
  download: Download,
  { path, mayReplace, signal, goOn }: ReceiveTarget,
): Promise<void> {
  const { terminal } = session
  const { name, sizeBytes, md5 } = download.file
  const fromBytes = goOn?.fromBytes ?? 0
  using progress = createProgress({ terminal, name, totalBytes: sizeBytes })
  const content = counted(download.content, progress, fromBytes)
  if (path === undefined) {
    const hash = createHash('md5')
    for await (const bytes of content) {
      hash.update(bytes)
      await write(terminal.stdout, bytes, signal)
    }
    if (hash.digest('hex') !== md5) throw wrongContent()
    return
  }
  await writeWhole({ path, mayReplace, content, ...(goOn && { goOn }) })
  progress[Symbol.dispose]()
  const where = path === name ? '' : `, in ${visibleText(path)}`
  const how = fromBytes === 0 ? '' : `, of which ${sizeText(fromBytes)} were here already`
  await say(terminal.stdout, `${visibleText(name)}: ${sizeText(sizeBytes)}${where}${how}`)
}

/**
 * Whether a file that stands there may be replaced; `kept` where the person at the prompt says
 * no.
 */
async function settleReplacing(
  session: Session,
  command: Command,
  path: string,
  signal: AbortSignal,
): Promise<boolean | 'kept'> {
  if (command.options['--force'] === true) return true
  if ((await standingOf(path)) !== 'file') return false
  if (!session.isPrompt || !session.terminal.canAsk) throw existsError(path)
  const question = `${visibleText(path)} is here already. Replace it?`
  if (await askYes(session.terminal, question, signal)) return true
  await say(session.terminal.stdout, `${visibleText(path)} stays as it is.`)
  return 'kept'
}

async function* counted(content: AsyncIterable<Buffer>, progress: Progress, fromBytes: number) {
  let doneBytes = fromBytes
  for await (const bytes of content) {
    doneBytes += bytes.length
    progress.update(doneBytes)
    yield bytes
  }
}
