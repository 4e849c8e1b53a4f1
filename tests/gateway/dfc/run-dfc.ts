// dfc as a process of a test: started with arguments, fed, awaited with a time limit. Knows no
// cluster.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const DFC = fileURLToPath(new URL('../../../gateway/bin/dfc.js', import.meta.url))
const TIMEOUT_MS = 60_000

export interface DfcOptions {
  /** Standard input; absent: closed at once. */
  input?: string | Uint8Array
  env?: Record<string, string>
  cwd: string
}

export interface DfcResult {
  code: number | null
  out: Buffer
  err: string
}

/** Runs dfc to its end. */
export async function runDfc(args: readonly string[], options: DfcOptions): Promise<DfcResult> {
  const child = startDfc(args, options)
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout!.on('data', (part: Buffer) => out.push(part))
  child.stderr!.on('data', (part: Buffer) => err.push(part))
  // A dfc that refuses before it reads closes its end: that is its right.
  child.stdin!.on('error', () => {})
  child.stdin!.end(options.input ?? '')
  const code = await ended(child)
  return { code, out: Buffer.concat(out), err: Buffer.concat(err).toString() }
}

/** Starts dfc with pipes for all three streams, and no DFC_ variables but those given. */
export function startDfc(args: readonly string[], options: DfcOptions): ChildProcess {
  const env = { ...process.env, DFC_USER: '', DFC_PASSWORD: '', ...options.env }
  return spawn(process.execPath, [DFC, ...args], { env, cwd: options.cwd })
}

/** The exit code, or null where a signal ended it; after a minute it is ended. */
export async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return code
}
