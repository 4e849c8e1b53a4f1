// A child process of a test: started, watched for a line, ended by its pid. Nothing here knows
// Fourfold.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Long enough for a loaded machine; a test that waits this long has failed. */
const START_TIMEOUT_MS = 90_000

export interface RunningProcess {
  child: ChildProcess
  /** All that it wrote so far, both streams. */
  output(): string
  /** Waits for output that matches; rejects when the process ends or the time is over. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>
  /** Sends a signal and waits for the end (not for SIGSTOP and SIGCONT). */
  kill(signal?: NodeJS.Signals): Promise<void>
}

export interface StartOptions {
  args: readonly string[]
  /** Default: this Node. */
  command?: string
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Default: closed. */
  stdin?: 'pipe' | 'ignore'
}

/** Starts a process; its output is kept. */
export function startProcess(options: StartOptions): RunningProcess {
  const { args, command = process.execPath, env, cwd, stdin = 'ignore' } = options
  const child = spawn(command, args, {
    stdio: [stdin, 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
  })
  let text = ''
  const waiters = new Set<() => void>()
  const wake = () => {
    for (const waiter of waiters) waiter()
  }
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part
      wake()
    })
  }
  const closed = once(child, 'close').then(wake)
  return {
    child,
    output: () => text,
    waitFor(pattern, timeoutMs = START_TIMEOUT_MS) {
      return new Promise((resolve, reject) => {
        const finish = (end: () => void) => {
          clearTimeout(timer)
          waiters.delete(check)
          end()
        }
        const fail = (why: string) =>
          finish(() => reject(new Error(`${args.join(' ')} ${why} ${pattern}:\n${text}`)))
        const timer = setTimeout(() => fail('did not print in time'), timeoutMs)
        const check = () => {
          const match = text.match(pattern)
          if (match !== null) finish(() => resolve(match))
          else if (child.exitCode !== null || child.signalCode !== null)
            fail('ended before printing')
        }
        waiters.add(check)
        check()
      })
    },
    async kill(signal = 'SIGTERM') {
      const hasEnded = child.exitCode !== null || child.signalCode !== null
      if (hasEnded) return
      child.kill(signal)
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await closed
    },
  }
}
