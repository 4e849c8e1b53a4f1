// Questions to the person at the terminal: a line, a secret without echo, yes or no. They go to
// standard error, so that standard output holds results only.

import { randomInt } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { aborted, say, type Terminal, write } from './terminal.ts'
import { usageError } from './voice.ts'

/** Wrong answers to "again" before giving up. */
const MAX_TRIES = 3

/** A line as typed. @throws DfsError ABORTED on Ctrl-C, Ctrl-D or `signal` */
export function askLine(terminal: Terminal, question: string, signal?: AbortSignal) {
  return ask({ terminal, question, signal, isSecret: false })
}

/** A line that is not shown. @throws DfsError ABORTED on Ctrl-C, Ctrl-D or `signal` */
export function askSecret(terminal: Terminal, question: string, signal?: AbortSignal) {
  return ask({ terminal, question, signal, isSecret: true })
}

/** True for `y` or `yes`; everything else is no. */
export async function askYes(terminal: Terminal, question: string, signal?: AbortSignal) {
  const answer = await askLine(terminal, `${question} [y/N] `, signal)
  return /^y(es)?$/i.test(answer.trim())
}

/** A new password, typed twice the same. @throws DfsError ABORTED, USAGE */
export async function askNewPassword(
  terminal: Terminal,
  who: string,
  signal?: AbortSignal,
): Promise<string> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const password = await askSecret(terminal, `New password for ${who}: `, signal)
    if (password === (await askSecret(terminal, 'Once more: ', signal))) return password
    await say(terminal.stderr, 'dfc: These two are not the same.')
  }
  throw usageError('The new password was not typed twice the same.')
}

/** Letters and digits that are not mistaken for one another. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
const GROUPS = 5
const GROUP_LETTERS = 5

/** A random password of 125 bits, in groups that can be read out. */
export function generatePassword(): string {
  const group = () =>
    Array.from({ length: GROUP_LETTERS }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  return Array.from({ length: GROUPS }, group).join('-')
}

interface Question {
  terminal: Terminal
  question: string
  signal: AbortSignal | undefined
  isSecret: boolean
}

async function ask({ terminal, question, signal, isSecret }: Question): Promise<string> {
  if (signal?.aborted) throw aborted()
  const { stdin, stderr } = terminal
  // readline edits a secret too (backspace, Ctrl-U), but what it would show goes nowhere.
  const output = isSecret ? silence() : stderr
  // Before the question is shown, for only the reader switches the terminal's own echo off.
  const reader = createInterface({ input: stdin, output, terminal: true, historySize: 0 })
  try {
    if (isSecret) await write(stderr, question)
    return await new Promise<string>((resolve, reject) => {
      const giveUp = () => reject(aborted())
      reader.once('SIGINT', giveUp)
      reader.once('close', giveUp)
      signal?.addEventListener('abort', giveUp, { once: true })
      reader.question(isSecret ? '' : question, resolve)
    })
  } catch (error) {
    if (!isSecret) await write(stderr, '\n')
    throw error
  } finally {
    reader.close()
    if (isSecret) await write(stderr, '\n')
  }
}

function silence(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() })
}
