// `get`: a file of the store onto this machine, or to standard output.
import type { Download } from '../dfs/store.ts'
import { type Command, targetOf } from './grammar.ts'
import { existsError, standingOf, targetPath, writeWhole } from './local-file.ts'
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
    const download = await store.download(identity, {
      name,
      signal: AbortSignal.any([signal, ours.signal]),
    })
    await receive(session, download, { path, mayReplace: mayReplace === true, signal })
  } catch (error) {
    ours.abort(error)
    throw error
  }
}

async function receive(
  session: Session,
  download: Download,
  target: { path: string | undefined; mayReplace: boolean; signal: AbortSignal },
): Promise<void> {
  const { terminal } = session
  const { name, sizeBytes } = download.file
  const { path, mayReplace, signal } = target
  using progress = createProgress({ terminal, name, totalBytes: sizeBytes })
  const content = counted(download.content, progress)
  if (path === undefined) {
    for await (const bytes of content) await write(terminal.stdout, bytes, signal)
    return
  }
  await writeWhole({ path, mayReplace, content })
  progress[Symbol.dispose]()
  const where = path === name ? '' : `, in ${visibleText(path)}`
  await say(terminal.stdout, `${visibleText(name)}: ${sizeText(sizeBytes)}${where}`)
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

async function* counted(content: AsyncIterable<Buffer>, progress: Progress) {
  let doneBytes = 0
  for await (const bytes of content) {
    doneBytes += bytes.length
    progress.update(doneBytes)
    yield bytes
  }
}
