// A TCP relay that misbehaves on command: cuts, falls silent, slows to a crawl, is late, or flips
// bits of what passes. Passes everything on until told otherwise; knows no protocol.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What the relay does to bytes; `down` is from the far end to who connected. */
export type Weather =
  | { kind: 'fair' }
  /** Connections are reset, new ones too. */
  | { kind: 'cut' }
  /** Bytes stop, without a word: both ways or one. */
  | { kind: 'silent'; way: Way | 'both' }
  /** At most so many bytes a second pass down on each connection. */
  | { kind: 'slow'; bytesPerSecond: number }
  /** What passes down arrives so much later. */
  | { kind: 'late'; delayMs: number }
  /** In every so many bytes that pass, one bit is wrong. */
  | { kind: 'noisy'; way: Way; everyBytes: number }

export type Way = 'up' | 'down'

export interface Ambush {
  /** Bytes on their way up. */
  sought: Buffer
  /** They are stopped, or they pass and the first answer on their connection is. */
  isAnswer: boolean
  /** What was stopped arrives once the weather is fair; else never. */
  isHeld?: boolean
  /** Called when bytes have been stopped; nothing passes on any connection from then on. */
  spring(): void
}

export interface Relay extends AsyncDisposable {
  port: number
  weather: Weather
  /** Changes what happens to bytes, on open connections as on new ones. */
  become(weather: Weather): void
  /** Stops the first bytes of a kind that pass, and whatever comes after them; undefined: none. */
  ambush(ambush: Ambush | undefined): void
}

interface Pipe {
  way: Way
  source: Socket
  target: Socket
  /** Bytes until the next wrong bit. */
  untilFlipBytes: number
}

const SLICE_MS = 50

/** Listens on a port that the system chooses and relays to `targetPort()` on this machine. */
export async function startRelay(targetPort: () => number): Promise<Relay> {
  const pipes = new Set<Pipe>()
  let trap: Ambush | undefined
  /** The source of the connection whose answer is waited for. */
  let awaited: Socket | undefined
  let held: (() => void) | undefined
  const server = createServer((from) => {
    from.on('error', () => {})
    if (relay.weather.kind === 'cut') {
      from.resetAndDestroy()
      return
    }
    const to = connect({ host: '127.0.0.1', port: targetPort() })
    to.on('error', () => {})
    lay({ way: 'up', source: from, target: to, untilFlipBytes: 0 })
    lay({ way: 'down', source: to, target: from, untilFlipBytes: 0 })
  })

  function lay(pipe: Pipe): void {
    const { source, target } = pipe
    pipes.add(pipe)
    source.setNoDelay(true)
    source.on('data', (bytes: Buffer) => pass(pipe, bytes))
    target.on('drain', () => flow(pipe))
    source.on('close', () => {
      pipes.delete(pipe)
      target.destroySoon()
    })
    flow(pipe)
  }

  function pass(pipe: Pipe, bytes: Buffer): void {
    if (isCaught(pipe, bytes)) return
    const { weather } = relay
    const { way, source, target } = pipe
    if (weather.kind === 'noisy' && weather.way === way) flip(pipe, bytes, weather.everyBytes)
    if (weather.kind === 'late' && way === 'down') {
      source.pause()
      setTimeout(() => {
        target.write(bytes)
        flow(pipe)
      }, weather.delayMs).unref()
      return
    }
    const hasRoom = target.write(bytes)
    if (weather.kind === 'slow' && way === 'down') {
      source.pause()
      const waitMs = (bytes.length * 1000) / weather.bytesPerSecond
      setTimeout(() => flow(pipe), Math.max(SLICE_MS, waitMs)).unref()
    } else if (!hasRoom) source.pause()
  }

  function isCaught({ way, source, target }: Pipe, bytes: Buffer): boolean {
    if (trap === undefined) return false
    const isSought = way === 'up' && bytes.includes(trap.sought)
    if (isSought && trap.isAnswer) awaited = source
    if (trap.isAnswer ? way === 'up' || target !== awaited : !isSought) return false
    const { spring, isHeld = false } = trap
    if (isHeld) held = () => target.write(bytes)
    trap = undefined
    awaited = undefined
    relay.become({ kind: 'silent', way: 'both' })
    spring()
    return true
  }

  /** Lets the source run, where the weather and the target allow it. */
  function flow({ way, source, target }: Pipe): void {
    const { weather } = relay
    const isSilent = weather.kind === 'silent' && (weather.way === way || weather.way === 'both')
    if (isSilent || target.writableNeedDrain) source.pause()
    else source.resume()
  }

  const relay: Relay = {
    port: 0,
    weather: { kind: 'fair' },
    become(weather) {
      relay.weather = weather
      if (weather.kind === 'fair') {
        held?.()
        held = undefined
      }
      for (const pipe of [...pipes]) {
        if (weather.kind === 'cut') pipe.source.resetAndDestroy()
        else flow(pipe)
      }
    },
    ambush(ambush) {
      trap = ambush
      awaited = undefined
    },
    async [Symbol.asyncDispose]() {
      for (const { source } of [...pipes]) source.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  relay.port = (server.address() as AddressInfo).port
  return relay
}

function flip(pipe: Pipe, bytes: Buffer, everyBytes: number): void {
  pipe.untilFlipBytes += bytes.length
  if (pipe.untilFlipBytes < everyBytes) return
  pipe.untilFlipBytes = 0
  bytes[bytes.length >> 1]! ^= 0x10
}
