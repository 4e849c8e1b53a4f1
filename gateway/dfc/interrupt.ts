// Ctrl-C during a command: the first gives up its work in good order, the second ends the process.
import { aborted } from './terminal.ts'
import { ExitCode } from './voice.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs `work` with a signal that Ctrl-C gives up.
 * @throws DfsError ABORTED where it was given up, whatever `work` made of that
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(ExitCode.interrupted)
    controller.abort(aborted())
  }
  for (const name of SIGNALS) process.on(name, stop)
  try {
    return await work(controller.signal)
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error
  } finally {
    for (const name of SIGNALS) process.off(name, stop)
  }
}
