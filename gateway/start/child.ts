// One process that `npm start` keeps running: its lines under its name, started again when it dies.
// Knows how a process says that it is ready, not what it does.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DfsError } from '@fourfold/storage-node/protocol'

const START_TIMEOUT_MS = 60_000
const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 10_000
/** A process that ran this long starts its back-off anew. */
const STEADY_MS = 60_000

const LEASH = join(import.meta.dirname, 'leash.js')

export interface ChildOptions {
  /** Who speaks: `DFS1`, `gateway`. */
  name: string
  /**
   * Script and arguments for this Node; asked again at each start, with what the last start
   * matched.
   */
  command: (ready: RegExpExecArray | undefined) => string[]
  /** Matches the line that says it is ready. */
  ready: RegExp
  say: (name: string, line: string) => void
}

/** A child that is ready. */
export interface Child {
  /** What `ready` matched. */
  readonly match: RegExpExecArray
  /** SIGTERM, and SIGKILL for what is still there after `limitMs`. */
  stop(limitMs: number): Promise<void>
}

/**
 * Starts the process and answers when it is ready; from then on it is started again when it ends
 * by itself.
 * @throws DfsError INTERNAL where it ends first, or says nothing for a minute
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, say } = options
  let isStopping = false
  let delayMs = FIRST_DELAY_MS
  let wait: NodeJS.Timeout | undefined
  let { process: child, match } = await launch(options, undefined)
  let startedMs = performance.now()
  watch()

  function watch(): void {
    child.once('exit', (code, signal) => {
      if (isStopping) return
      if (performance.now() - startedMs > STEADY_MS) delayMs = FIRST_DELAY_MS
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`
      say(name, `ended unexpectedly ${how}; starting it again in ${delayMs / 1000} s`)
      wait = setTimeout(restart, delayMs)
      delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)
    })
  }

  function restart(): void {
    startedMs = performance.now()
    const launched = launch(options, match, (started) => {
      child = started
      watch()
    })
    launched.catch((error: Error) => say(name, error.message))
  }

  return {
    match,
    async stop(limitMs) {
      isStopping = true
      clearTimeout(wait)
      await endProcess(child, limitMs)
    },
  }
}

interface Launched {
  process: ChildProcess
  match: RegExpExecArray
}

async function launch(
  options: ChildOptions,
  last: RegExpExecArray | undefined,
  onSpawn: (child: ChildProcess) => void = () => {},
): Promise<Launched> {
  const { name, say } = options
  const child = spawn(process.execPath, ['--import', LEASH, ...options.command(last)], {
    // Its own group: Ctrl-C in a terminal reaches the starter alone, which stops all in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  onSpawn(child)
  const ready = Promise.withResolvers<RegExpExecArray>()
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      say(name, line)
      const match = options.ready.exec(line)
      if (match !== null) ready.resolve(match)
    })
  }
  const fail = (why: string) => ready.reject(new DfsError('INTERNAL', `${name} ${why}.`))
  const onExit = () => fail('ended before it was ready')
  child.once('exit', onExit)
  child.once('error', (error) => fail(`cannot be started: ${error.message}`))
  const timer = setTimeout(() => fail('is not ready after a minute'), START_TIMEOUT_MS)
  try {
    return { process: child, match: await ready.promise }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
    child.off('exit', onExit)
  }
}

async function endProcess(child: ChildProcess, limitMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  await exit
  clearTimeout(timer)
}
