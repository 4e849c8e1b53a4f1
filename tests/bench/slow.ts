// A thousand slow clients at once: half of them send a file a little at a time, half of them read
// one so. Counts those that did not get through.
import { connect, type Socket } from 'node:net'
import { AnswerReader, headOf, type Target } from './transfer.ts'

const CLIENTS = 1000
const UP_BYTES = 1_310_720
/** More than the kernel keeps for a connection, so that the gateway has to hold the rest. */
export const DOWN_BYTES = 16 * 1_048_576
const STEP_BYTES = 65_536
/** Each client rests so long between two steps; an upload has twenty of them. */
const REST_MS = 500
/** After so many steps a reader reads what is left at once. */
const SLOW_STEPS = 20
const LIMIT_MS = 240_000

/** Clients, of 1,000, whose transfer did not end well. `downPath` is a file of `DOWN_BYTES`. */
export async function runSlow(target: Target, downPath: string): Promise<{ starved: number }> {
  const ends = await Promise.all(
    Array.from({ length: CLIENTS }, (_, number) =>
      number % 2 === 0 ? send(target, `/files/slow-${number}`) : receive(target, downPath),
    ),
  )
  return { starved: ends.filter((isGood) => !isGood).length }
}

function send(target: Target, path: string): Promise<boolean> {
  const step = Buffer.alloc(STEP_BYTES, 's')
  const reader = new AnswerReader()
  return onSocket(target, {
    start(socket) {
      socket.write(headOf(target, `PUT ${path}`, [`content-length: ${UP_BYTES}`]))
      let left = UP_BYTES
      const timer = setInterval(() => {
        socket.write(step)
        left -= STEP_BYTES
        if (left === 0) clearInterval(timer)
      }, REST_MS)
      socket.once('close', () => clearInterval(timer))
    },
    take: (bytes) => reader.push(bytes) && reader.status < 300,
  })
}

function receive(target: Target, path: string): Promise<boolean> {
  const reader = new AnswerReader()
  let steps = 0
  return onSocket(target, {
    start: (socket) => socket.write(headOf(target, `GET ${path}`, [])),
    take(bytes, socket) {
      if (reader.push(bytes)) return reader.status === 200 && reader.bodyBytes === DOWN_BYTES
      if (steps++ >= SLOW_STEPS) return false
      socket.pause()
      setTimeout(() => socket.resume(), REST_MS)
      return false
    },
  })
}

/** One client; answers whether `take` said that all is there, in time and before the end. */
function onSocket(
  { url }: Target,
  client: {
    start(socket: Socket): void
    take(bytes: Buffer, socket: Socket): boolean
  },
): Promise<boolean> {
  const { hostname: host, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) })
    const timer = setTimeout(() => finish(false), LIMIT_MS)
    const finish = (isGood: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(isGood)
    }
    socket.on('connect', () => client.start(socket))
    socket.on('data', (bytes: Buffer) => client.take(bytes, socket) && finish(true))
    socket.on('error', () => finish(false))
    socket.on('close', () => finish(false))
  })
}
