// One line for each event on stderr: time, who, level, sentence, facts. Callers give no file ids of
// users, no keys and no bytes; user names are for `debug` only.

const levels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof levels)[number]

export type Log = Record<LogLevel, (sentence: string, facts?: Record<string, unknown>) => void>

export interface LogOptions {
  /** Who speaks, e.g. `DFS1`. */
  name: string
  /** The least level that is written. */
  level?: LogLevel
  write?: (line: string) => void
}

export function createLog(options: LogOptions): Log {
  const { name, level = 'info', write = (line) => process.stderr.write(line) } = options
  const least = levels.indexOf(level)
  const speak =
    (at: LogLevel) =>
    (sentence: string, facts: Record<string, unknown> = {}) => {
      if (levels.indexOf(at) < least) return
      const tail = Object.entries(facts).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
      write(`${new Date().toISOString()} ${name} ${at}: ${sentence}${tail.join('')}\n`)
    }
  return { debug: speak('debug'), info: speak('info'), warn: speak('warn'), error: speak('error') }
}
