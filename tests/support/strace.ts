// System calls of a process of this test that fail, or end it, on command: strace attached from
// outside. Where strace is missing or not allowed, tests are left out and say so.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

const canTrace = spawnSync('strace', ['-f', 'true'], { timeout: 10_000 }).status === 0

const PATIENCE_MS = 3000

/** For `test`: false, or why the test is left out. */
export const skipWithoutStrace = canTrace ? false : 'strace is not here or not allowed'

export interface Attached extends AsyncDisposable {
  /** How many calls were tampered with. */
  count(): number
}

export interface Tampering {
  pid: number
  /** The calls, such as `fsync,rename`. */
  calls: string
  /** What happens at them, in strace's words: `error=EIO`, `signal=SIGKILL`. */
  what: string
  /** Which of them, counted for each thread from now on: `3`, `1+`. Default: all. */
  when?: string
  /** Only calls on this file. */
  path?: string
}

/** Attaches to every thread of a process; detaching leaves it running as it was. */
export async function tamper({ pid, calls, what, when, path }: Tampering): Promise<Attached> {
  const inject = `inject=${calls}:${what}${when === undefined ? '' : `:when=${when}`}`
  const only = path === undefined ? [] : ['-P', path]
  const args = ['-f', '-p', String(pid), ...only, '-e', `trace=${calls}`, '-e', inject]
  const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  const attached = new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      text += part
      if (/attached/.test(text)) resolve()
    })
    child.once('close', () => reject(new Error(`strace ended: ${text}`)))
  })
  await attached
  return {
    count: () => text.split('(INJECTED)').length - 1,
    [Symbol.asyncDispose]: () => detach(child),
  }
}

async function detach(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGINT')
  // It can miss the end of a process that it killed itself, and would wait for that for ever.
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  await once(child, 'close')
  clearTimeout(timer)
}
