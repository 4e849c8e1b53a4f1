// A TCP relay that misbehaves on command: cuts, falls silent, slows to a crawl, or flips bits of
// what passes. Passes everything on until told otherwise; knows no protocol.
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
  /** In every so many bytes that pass, one bit is wrong. */
  | { kind: 'noisy'; way: Way; everyBytes: number }

export type Way = 'up' | 'down'

export interface Relay extends AsyncDisposable {
  port: number
  weather: Weather
  /** Changes what happens to bytes, on open connections as on new ones. */
  become(weather: Weather): void
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
    const { weather } = relay
    const { way, source, target } = pipe
    if (weather.kind === 'noisy' && weather.way === way) flip(pipe, bytes, weather.everyBytes)
    const hasRoom = target.write(bytes)
    if (weather.kind === 'slow' && way === 'down') {
      source.pause()
      const waitMs = (bytes.length * 1000) / weather.bytesPerSecond
      setTimeout(() => flow(pipe), Math.max(SLICE_MS, waitMs)).unref()
    } else if (!hasRoom) source.pause()
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
      for (const pipe of [...pipes]) {
        if (weather.kind === 'cut') pipe.source.resetAndDestroy()
        else flow(pipe)
      }
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
