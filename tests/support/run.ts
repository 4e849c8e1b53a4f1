// Runs a program to its end and gives back what it said.
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { text } from 'node:stream/consumers'

export interface RunResult {
  /** Exit code; null where a signal ended it. */
  code: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** A file that becomes its standard input; default none. */
  stdinFile?: string
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Default 120 s; then it is killed. */
  timeoutMs?: number
}

export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const { stdinFile, env, cwd, timeoutMs = 120_000 } = options
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    stdio: [stdinFile === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
  })
  if (stdinFile !== undefined) {
    child.stdin?.on('error', () => {})
    createReadStream(stdinFile).pipe(child.stdin!)
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reject)
  })
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    ended,
  ])
  return { code, stdout, stderr }
}
