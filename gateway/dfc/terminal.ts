// What dfc has of its process: three streams and the environment, so that tests can stand in for
// them. Knows nothing of verbs.
import { createWriteStream } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { DfsError } from '@fourfold/storage-node/protocol'

export interface Terminal {
  stdin: Readable & { isTTY?: boolean }
  stdout: Writable & { isTTY?: boolean }
  stderr: Writable & { isTTY?: boolean; columns?: number }
  env: Record<string, string | undefined>
  /** Whether a person sits at standard input. */
  canAsk: boolean
}

const STDOUT_FD = 1

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stderr, env } = process
  // process.stdout writes to pipes and files synchronously: a slow reader would stop the links to
  // the nodes as well, and they would look dead.
  const stdout = isatty(STDOUT_FD)
    ? process.stdout
    : createWriteStream('', { fd: STDOUT_FD, autoClose: false })
  return { stdin, stdout, stderr, env, canAsk: isatty(0) && isatty(2) }
}

/** The reader of standard output has gone: `dfc list | head`. No failure, only the end. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

/**
 * Writes all of `data`, and returns when the stream has taken it, so that the buffer may be used
 * anew.
 * @throws ReaderGone, or DfsError ABORTED when `signal` is given up
 */
export function write(
  stream: Writable,
  data: string | Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(aborted())
    if (signal?.aborted) {
      giveUp()
      return
    }
    signal?.addEventListener('abort', giveUp, { once: true })
    // A stream that fails emits 'error' as well, and without a listener that ends the process.
    if (stream.listenerCount('error') === 0) stream.on('error', () => {})
    stream.write(data, (error) => {
      signal?.removeEventListener('abort', giveUp)
      if (error == null) resolve()
      else reject(isGone(error) ? new ReaderGone(error.message) : error)
    })
  })
}

/** One line. @throws ReaderGone */
export function say(stream: Writable, line: string): Promise<void> {
  return write(stream, `${line}\n`)
}

/** What Ctrl-C makes of a wait; needs no hint. */
export function aborted(): DfsError {
  return new DfsError('ABORTED', 'Stopped.', { detail: { hint: '' } })
}

function isGone(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ECONNRESET'
}
