// The log of the gateway process: a line for each event on stderr, as the nodes write theirs: time,
// who, level, sentence, facts. Knows of requests only that they are not to be written down whole.
import { pino } from 'pino'

export interface GatewayLogOptions {
  /** The least level that is written. */
  level: string
  write?: (line: string) => void
}

/** What pino makes of one event. */
interface Entry {
  time: string
  level: string
  msg?: string
  err?: { stack?: string }
  /** Counts requests; two lines of one request are rare, and then next to each other. */
  reqId?: string
}

/** A logger for Fastify. */
export function createGatewayLog(options: GatewayLogOptions) {
  const { level, write = stderrWriter() } = options
  const pinoOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // Requests and replies are logged by hand (app.ts); what Fastify itself would log of them is
    // dropped.
    serializers: { req: () => undefined, res: () => undefined },
  }
  return pino(pinoOptions, { write: (json: string) => write(readable(JSON.parse(json))) })
}

/**
 * Lines of one turn of the event loop leave together, or at the latest when the process exits: a
 * write for each request would cost as much as a tenth of a small download.
 */
function stderrWriter(): (line: string) => void {
  let waiting = ''
  const flush = () => {
    if (waiting !== '') process.stderr.write(waiting)
    waiting = ''
  }
  process.once('exit', flush)
  return (line) => {
    if (waiting === '') setImmediate(flush)
    waiting += line
  }
}

/** `2026-11-22T19:45:55.626Z gateway warn: request failed NODES_UNAVAILABLE DFS3` */
function readable({ time, level, msg = '', err, reqId: _, ...facts }: Entry): string {
  const sentence = msg.replaceAll(/\s*[\r\n]+\s*/g, ' ')
  const pairs = Object.entries({ ...facts, ...(err === undefined ? {} : { stack: err.stack }) })
  const tail = pairs.map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
  return `${time} gateway ${level}: ${sentence}${tail.join('')}\n`
}
