// A bar on standard error while a transfer takes long enough to be looked at; nothing in a pipe.
import type { SingleBar } from 'cli-progress'
import type { Terminal } from './terminal.ts'
import { sizeText, visibleText } from './voice.ts'

/** Transfers that end sooner show no bar, and do not load its library. */
const SHOW_AFTER_MS = 400
const BAR_COLUMNS = 20

export interface Progress extends Disposable {
  /** Plaintext bytes moved so far. */
  update(doneBytes: number): void
}

/** `totalBytes` undefined where the length is not known. Leaving its scope takes the bar away. */
export function createProgress(options: {
  terminal: Terminal
  name: string
  totalBytes: number | undefined
}): Progress {
  const { terminal, totalBytes } = options
  if (terminal.stderr.isTTY !== true) return { update() {}, [Symbol.dispose]() {} }
  const name = visibleText(options.name)
  const startedMs = performance.now()
  let isDone = false
  let bar: SingleBar | undefined
  let lastBytes = 0
  const stop = () => bar?.stop()

  const timer = setTimeout(async () => {
    const { SingleBar } = await import('cli-progress')
    if (isDone) return
    bar = new SingleBar({
      stream: terminal.stderr as NodeJS.WriteStream,
      clearOnComplete: true,
      hideCursor: false,
      gracefulExit: false,
      fps: 5,
      format: (_options, { value }) => {
        const seconds = (performance.now() - startedMs) / 1000
        const done = { doneBytes: value, totalBytes, seconds }
        return barLine(name, done, terminal.stderr.columns ?? 80)
      },
    })
    bar.start(totalBytes ?? 0, lastBytes)
    // The bar switches line wrapping off; a second Ctrl-C must not leave the terminal so.
    process.once('exit', stop)
  }, SHOW_AFTER_MS)
  timer.unref()

  return {
    update(doneBytes) {
      lastBytes = doneBytes
      bar?.update(doneBytes)
    },
    [Symbol.dispose]() {
      isDone = true
      clearTimeout(timer)
      process.off('exit', stop)
      stop()
    },
  }
}

/**
 * `notes.txt  ████████░░░░░░░░░░░░   43 %  2.7 MB of 6.2 MB  31.0 MB/s`, cut to the terminal's
 * width.
 */
export function barLine(
  name: string,
  done: { doneBytes: number; totalBytes: number | undefined; seconds: number },
  columns: number,
): string {
  const { doneBytes, totalBytes, seconds } = done
  const speed = `${sizeText(seconds > 0 ? doneBytes / seconds : 0)}/s`
  if (totalBytes === undefined) return fit(name, `  ${sizeText(doneBytes)}  ${speed}`, columns)
  const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes)
  const filled = Math.round(share * BAR_COLUMNS)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled)
  const percent = `${Math.floor(share * 100)} %`.padStart(6)
  const sizes = `${sizeText(doneBytes)} of ${sizeText(totalBytes)}`
  return fit(name, `  ${bar} ${percent}  ${sizes}  ${speed}`, columns)
}

/** The name gives way where a line is too narrow for both. */
function fit(name: string, rest: string, columns: number): string {
  const letters = [...name]
  const room = Math.max(8, columns - 1 - rest.length)
  const shown = letters.length <= room ? name : `${letters.slice(0, room - 1).join('')}…`
  return shown + rest
}
