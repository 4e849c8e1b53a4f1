// `passwd` for users and `user add|passwd|remove|list` for operators.
import { foldUsername } from '@fourfold/storage-node/protocol'
import { findCredentials, mergeSources } from './credentials.ts'
import { type Command, credentialsOf } from './grammar.ts'
import { askLine, askNewPassword, askSecret, generatePassword } from './questions.ts'
import { ADDRESS, type Session, untilAborted } from './session.ts'
import { say } from './terminal.ts'
import { countText, usageError } from './voice.ts'

type Verb = (session: Session, command: Command, signal: AbortSignal) => Promise<void>

/** `passwd [USER PASSWORD]`: one's own. */
export const passwd: Verb = async (session, command, signal) => {
  const typed = credentialsOf(command, command.words, command.words.length)
  const { terminal, conf } = session
  const { user, password } =
    typed === undefined && session.user !== undefined
      ? await oldPasswordOf(session, session.user, signal)
      : await findCredentials({ typed, terminal, conf: conf.user, signal })
  await change(session, { user, oldPassword: password, signal })
}

/** `user add|passwd|remove|list`. */
export const user: Verb = async (session, command, signal) => {
  const [action = '', ...words] = command.words
  if (!Object.hasOwn(actions, action)) {
    throw usageError('user takes add, passwd, remove or list.', 'user')
  }
  const { run, least, most } = actions[action as keyof typeof actions]
  if (words.length < least) throw usageError(`user ${action} needs a NAME.`, 'user')
  if (words.length > most) throw usageError(`user ${action} takes fewer words.`, 'user')
  await run(session, { ...command, words }, signal)
}

const add: Verb = async (session, command, signal) => {
  const [name, typed] = command.words as [string, string?]
  const isGenerated = command.options['--generate'] === true
  if (isGenerated && typed !== undefined) {
    throw usageError('Give a PASSWORD or --generate, not both.', 'user')
  }
  foldUsername(name)
  const store = await session.operatorStore(signal)
  const password = isGenerated
    ? generatePassword()
    : (typed ?? environmentPassword(session, name) ?? (await askNew(session, name, signal)))
  await untilAborted(store.accounts.add({ user: name, password }), signal)
  const { stdout, stderr } = session.terminal
  const added = `Account ${foldUsername(name)} added.`
  if (!isGenerated) return say(stdout, added)
  // Standard output holds the password alone, so that a script can take it.
  await say(stderr, `${added} Its password, shown this once:`)
  await say(stdout, password)
}

const changeByName: Verb = async (session, command, signal) => {
  const [name] = command.words as [string]
  const { user, password } = await oldPasswordOf(session, name, signal)
  await change(session, { user, oldPassword: password, signal })
}

const remove: Verb = async (session, command, signal) => {
  const [name] = command.words as [string]
  const store = await session.operatorStore(signal)
  if (command.options['--yes'] !== true) {
    const { terminal } = session
    if (!terminal.canAsk)
      throw usageError('user remove asks first; in a script, add --yes.', 'user')
    const question = `Type ${name} to remove the account and all its files: `
    const answer = await askLine(terminal, question, signal)
    if (answer.trim() !== name) throw usageError('That is not the name; nothing is removed.')
  }
  await untilAborted(store.accounts.remove(name), signal)
  if (session.user === foldUsername(name)) session.forget()
  await say(session.terminal.stdout, `Account ${foldUsername(name)} removed.`)
}

const showAll: Verb = async (session, _command, signal) => {
  const store = await session.operatorStore(signal)
  const { stdout, stderr } = session.terminal
  const names = await untilAborted(store.accounts.list(), signal)
  if (names.length > 0) await say(stdout, names.join('\n'))
  if (stderr.isTTY === true) await say(stderr, `${countText(names.length, 'account')}.`)
}

const actions = {
  add: { run: add, least: 1, most: 2 },
  passwd: { run: changeByName, least: 1, most: 1 },
  remove: { run: remove, least: 1, most: 1 },
  list: { run: showAll, least: 0, most: 0 },
} as const

async function change(
  session: Session,
  { user, oldPassword, signal }: { user: string; oldPassword: string; signal: AbortSignal },
): Promise<void> {
  const newPassword = session.terminal.env.DFC_NEW_PASSWORD || (await askNew(session, user, signal))
  const store = await session.store(signal)
  const changing = store.accounts.changePassword({
    ...{ user, oldPassword, newPassword },
    address: ADDRESS,
  })
  await untilAborted(changing, signal)
  await say(session.terminal.stdout, `The password of ${foldUsername(user)} is changed.`)
  // The keys in memory are the old password's.
  if (session.user !== foldUsername(user)) return
  session.forget()
  await session.signIn({ user, password: newPassword }, signal)
}

/** The old password: from the environment where that is this user's, else asked for. */
async function oldPasswordOf(session: Session, user: string, signal: AbortSignal) {
  const { terminal } = session
  const known = environmentPassword(session, user)
  if (known !== undefined) return { user, password: known }
  if (!terminal.canAsk) {
    throw usageError(`There is no old password for ${user}: set DFC_PASSWORD.`, 'passwd')
  }
  return { user, password: await askSecret(terminal, `Old password of ${user}: `, signal) }
}

function environmentPassword(session: Session, user: string): string | undefined {
  const { DFC_USER, DFC_PASSWORD } = session.terminal.env
  return mergeSources([{ user }, { user: DFC_USER, password: DFC_PASSWORD }]).password
}

async function askNew(session: Session, user: string, signal: AbortSignal): Promise<string> {
  if (session.terminal.canAsk) return askNewPassword(session.terminal, user, signal)
  throw usageError(`There is no new password for ${user}: set ${newPasswordVariable(session)}.`)
}

function newPasswordVariable(session: Session): string {
  return session.terminal.env.DFC_PASSWORD === undefined ? 'DFC_PASSWORD' : 'DFC_NEW_PASSWORD'
}
