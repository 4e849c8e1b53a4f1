// `mv`: another name for a file, or for all files of a folder.
import { DfsError } from '@fourfold/storage-node/protocol'
import { type Command, credentialsOf } from './grammar.ts'
import type { Session } from './session.ts'
import { say } from './terminal.ts'
import { countText, usageError, visibleText } from './voice.ts'

/** @throws DfsError */
export async function move(session: Session, command: Command, signal: AbortSignal): Promise<void> {
  const [old, typed, user, password] = command.words
  if (old === undefined || typed === undefined) throw usageError('mv needs OLD and NEW.', 'mv')
  const credentials = credentialsOf(command, [user, password], command.words.length - 2)
  const isReplacing = command.options['--force'] === true
  const store = await session.store(signal)
  const identity = await session.identity(credentials, signal)
  const { stdout } = session.terminal
  if (old.endsWith('/')) {
    const to = typed.endsWith('/') ? typed : `${typed}/`
    const request = { folder: old, to, isReplacing, signal }
    const count = await store.moveFolder(identity, request).catch(withHint)
    const files = countText(count, 'file')
    return say(stdout, `${visibleText(old)}: ${files}, now in ${visibleText(to)}`)
  }
  const to = typed.endsWith('/') ? typed + old.slice(old.lastIndexOf('/') + 1) : typed
  const file = await store.move(identity, { name: old, to, isReplacing, signal }).catch(withHint)
  await say(stdout, `${visibleText(old)}: now ${visibleText(file.name)}`)
}

/** What replaces a file is an option here. */
function withHint(error: unknown): never {
  if (!(error instanceof DfsError) || error.code !== 'NAME_EXISTS') throw error
  const detail = { ...error.detail, hint: 'Choose another name, or replace it with --force.' }
  throw new DfsError(error.code, error.message, { detail, cause: error })
}
