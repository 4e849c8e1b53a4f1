// `put`: files of this machine, or standard input, into the store.
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import { DfsError } from '@fourfold/storage-node/protocol'
import { type Command, targetOf } from './grammar.ts'
import { mediaTypeOf } from './media-type.ts'
import { createProgress } from './progress.ts'
import { KEPT_FROM_BYTES, putKept } from './put-kept.ts'
import { type Session, untilAborted } from './session.ts'
import { say } from './terminal.ts'
import { localError, sizeText, systemReasons, usageError, visibleText } from './voice.ts'

/** As large as a row, so that each is sealed from one read. */
const READ_BYTES = 1_048_576

interface Source extends AsyncDisposable {
  content: AsyncIterable<Uint8Array>
  /**
   * Undefined where only reading tells: pipes, devices, and files of /proc, which claim to be
   * empty.
   */
  sizeBytes: number | undefined
  /** When it last changed, milliseconds since 1970. */
  modifiedMs: number
}

/** @throws DfsError */
export async function put(session: Session, command: Command, signal: AbortSignal): Promise<void> {
  const { paths, credentials } = pathsOf(command)
  const as = command.options['--as']
  if (paths.includes('-')) checkStandardInput(session, as, paths)
  if (as !== undefined && paths.length > 1) {
    throw usageError('--as names one file, and several are given.', 'put')
  }
  // A path that is wrong is told before a password is asked for, and before others are stored.
  for (const path of paths) await (await openSource(session, path, signal))[Symbol.asyncDispose]()

  const store = await session.store(signal)
  store.requireAllNodes()
  const identity = await session.identity(credentials, signal).catch((error) => {
    throw explainThreeWords(error, credentials?.user)
  })
  for (const path of paths) {
    const name = typeof as === 'string' ? as : basename(path)
    await using source = await openSource(session, path, signal)
    const { sizeBytes } = source
    using progress = createProgress({
      terminal: session.terminal,
      name,
      totalBytes: sizeBytes,
    })
    const isKept = (sizeBytes ?? 0) >= KEPT_FROM_BYTES || command.options['--resume'] === true
    const { file, isNew } =
      isKept && sizeBytes !== undefined
        ? await putKept({
            ...{ store, identity, name, path, sizeBytes, progress, signal },
            modifiedMs: source.modifiedMs,
            mayResume: command.options['--anew'] !== true,
            onResume: (offsetBytes) => tellResume(session, name, { offsetBytes, sizeBytes }),
          }).catch((error) => {
            throw unreadable(path, explainBreak(error, session))
          })
        : await store.upload(identity, {
            name,
            source: source.content,
            ...(sizeBytes !== undefined && { sizeBytes }),
            type: mediaTypeOf(name),
            onProgress: (sentBytes) => progress.update(sentBytes),
            signal,
          })
    progress[Symbol.dispose]()
    const replaced = isNew ? '' : ', replacing the one before'
    const shown = visibleText(file.name)
    const line = `${shown}: ${sizeText(file.sizeBytes)}, on all four nodes${replaced}`
    await say(session.terminal.stdout, line)
  }
}

/** `put FILE [USER PASSWORD] [-- FILE ...]` */
function pathsOf(command: Command) {
  if (command.words.length === 0 && command.rest.length > 0) {
    return { paths: command.rest, credentials: undefined }
  }
  const { name, credentials } = targetOf(command)
  return { paths: [name, ...command.rest], credentials }
}

function checkStandardInput(session: Session, as: string | true | undefined, paths: string[]) {
  if (session.isPrompt) throw usageError('In the prompt, - is not a file.', 'put')
  if (paths.length > 1) throw usageError('Standard input is stored alone.', 'put')
  if (as === undefined) throw usageError('Standard input needs a name: --as NAME.', 'put')
}

async function openSource(session: Session, path: string, signal: AbortSignal): Promise<Source> {
  if (path === '-') {
    const content = readAll(session.terminal.stdin, path, signal)
    return { content, sizeBytes: undefined, modifiedMs: 0, async [Symbol.asyncDispose]() {} }
  }
  const handle = await open(path).catch((error) => {
    throw unreadable(path, error)
  })
  const stats = await handle.stat()
  if (stats.isDirectory()) {
    await handle.close()
    throw localError(`${visibleText(path)} is a folder.`, 'put takes files.')
  }
  const stream = handle.createReadStream({ highWaterMark: READ_BYTES, autoClose: false })
  return {
    content: readAll(stream, path, signal),
    sizeBytes: stats.isFile() && stats.size > 0 ? stats.size : undefined,
    modifiedMs: Math.trunc(stats.mtimeMs),
    // A pipe that is silent holds its handle until its writer ends: that is not waited for.
    [Symbol.asyncDispose]: () => untilAborted(handle.close(), signal).catch(() => {}),
  }
}

/**
 * The bytes of `stream`; gives up at once with `signal`, also while a silent pipe is waited for.
 */
async function* readAll(stream: Readable, path: string, signal: AbortSignal) {
  const parts = stream[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await untilAborted(parts.next(), signal)
      if (done) return
      yield value as Buffer
    }
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function tellResume(
  session: Session,
  name: string,
  { offsetBytes, sizeBytes }: { offsetBytes: number; sizeBytes: number },
): Promise<void> {
  const reached = `${sizeText(offsetBytes)} of ${sizeText(sizeBytes)}`
  const line = `${visibleText(name)}: goes on where it broke off, at ${reached}`
  await say(session.terminal.stderr, line)
}

/** What can be done about an upload that broke off and is kept. */
function explainBreak(error: unknown, session: Session): unknown {
  if (!(error instanceof DfsError) || !error.canRetry || session.isPrompt) return error
  const hint = 'What arrived is kept: the same put goes on from there.'
  const detail = { ...error.detail, hint }
  return new DfsError(error.code, error.message, { detail, cause: error })
}

function unreadable(path: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined) return error
  const message = `${visibleText(path)} cannot be read: ${systemReasons[code] ?? code}.`
  return localError(message, 'Check the path.', error)
}

/** `put a b c` signs in as b; who meant three files is told how. */
function explainThreeWords(error: unknown, user: string | undefined): unknown {
  const isRefused = error instanceof DfsError && error.code === 'AUTH_FAILED'
  if (!isRefused || user === undefined || !existsSync(user)) return error
  const hint = 'put FILE USER PASSWORD signs in; several files are put -- FILE FILE ...'
  return new DfsError('AUTH_FAILED', error.message, { detail: { hint }, cause: error })
}
