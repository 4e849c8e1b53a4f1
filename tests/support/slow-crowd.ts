// A crowd of slow clients on raw sockets: half of them send a file a little at a time, half read
// one so. All of them stay under way until they are told to finish, and then finish what they
// began.
import { connect, type Socket } from 'node:net'

/** A row and a bit, so that the gateway has a row under way and one that is not full. */
export const UP_BYTES = 1_310_720
/** What a slow client moves in each of its steps, and how long it rests between them. */
const STEP_BYTES = 8192
const REST_MS = 500
const BEGIN_TIMEOUT_MS = 120_000

export interface CrowdOptions {
  url: string
  /** Values of Authorization; the clients share them. */
  users: readonly string[]
  clientCount: number
  /** A file of each user, larger than what the kernel keeps for a connection, and its size. */
  downPath: string
  downBytes: number
}

export interface Crowd extends AsyncDisposable {
  /** What each client that did not begin was told or met. */
  failures: string[]
  /** Lets the uploads finish and cuts the readers; answers what went wrong, one line for each. */
  finish(): Promise<string[]>
}

/** Resolves when every client is under way or has failed. */
export async function startCrowd(options: CrowdOptions): Promise<Crowd> {
  const clients = Array.from({ length: options.clientCount }, (_, number) => {
    return number % 2 === 0 ? startSender(options, number) : startReader(options, number)
  })
  const failures = (await Promise.all(clients.map(({ begun }) => begun))).filter(
    (failure) => failure !== undefined,
  )
  return {
    failures,
    async finish() {
      const ends = await Promise.all(clients.map((client) => client.finish()))
      return ends.filter((end) => end !== undefined)
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.cut()
    },
  }
}

interface Client {
  begun: Promise<string | undefined>
  finish(): Promise<string | undefined>
  /** Ends it wherever it is. */
  cut(): void
}

function open({ url, users }: CrowdOptions, number: number, line: string, ...fields: string[]) {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  const authorization = `Authorization: ${users[number % users.length]}`
  const head = [line, 'Host: test', authorization, 'Connection: close', ...fields, '', '']
  socket.write(head.join('\r\n'))
  return socket
}

function startSender(options: CrowdOptions, number: number): Client {
  const length = `Content-Length: ${UP_BYTES}`
  const line = `PUT /files/slow/${number} HTTP/1.1`
  const socket = open(options, number, line, length, 'Expect: 100-continue')
  let answer = ''
  let leftBytes = UP_BYTES
  const send = (bytes: number) => {
    const taken = Math.min(bytes, leftBytes)
    leftBytes -= taken
    socket.write(Buffer.alloc(taken, number))
  }
  socket.on('data', (bytes: Buffer) => {
    answer += bytes.toString('latin1')
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const begun = when(
    socket,
    () => answer.startsWith('HTTP/1.1 100'),
    () => answer,
  )
  const step = setInterval(() => {
    if (answer.startsWith('HTTP/1.1 100') && leftBytes > STEP_BYTES) send(STEP_BYTES)
  }, REST_MS)
  const cut = () => {
    clearInterval(step)
    socket.destroy()
  }
  return {
    ...{ begun, cut },
    async finish() {
      clearInterval(step)
      if (!socket.destroyed) send(leftBytes)
      await closed
      const last = answer.slice(answer.lastIndexOf('HTTP/1.1 '))
      return /^HTTP\/1\.1 20[01] /.test(last) ? undefined : `upload ${number}: ${endsOf(last)}`
    },
  }
}

function startReader(options: CrowdOptions, number: number): Client {
  const socket = open(options, number, `GET ${options.downPath} HTTP/1.1`)
  let head = ''
  let receivedBytes = 0
  socket.on('data', (bytes: Buffer) => {
    if (head.length < 12) head += bytes.toString('latin1', 0, 600)
    receivedBytes += bytes.length
    socket.pause()
  })
  const begun = when(
    socket,
    () => head.startsWith('HTTP/1.1 200'),
    () => head,
  )
  const step = setInterval(() => socket.resume(), REST_MS)
  const cut = () => {
    clearInterval(step)
    socket.destroy()
  }
  return {
    ...{ begun, cut },
    async finish() {
      const wasCut = socket.destroyed || socket.readableEnded
      cut()
      if (head.startsWith('HTTP/1.1 200') && !wasCut) return undefined
      return `download ${number}: cut after ${receivedBytes} bytes ${head.slice(0, 300)}`
    },
  }
}

/** Undefined once `isTrue` after some bytes came; else what came before the end. */
function when(socket: Socket, isTrue: () => boolean, said: () => string) {
  return new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(
      () => resolve(`nothing in time: ${said().slice(0, 300)}`),
      BEGIN_TIMEOUT_MS,
    )
    const check = () => {
      if (!isTrue()) return
      clearTimeout(timer)
      socket.off('data', check)
      resolve(undefined)
    }
    socket.on('data', check)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(endsOf(said()) || 'closed')
    })
  })
}

/** The status line of an answer, and the end of its body. */
function endsOf(answer: string): string {
  return answer.length < 540 ? answer : `${answer.slice(0, 40)} … ${answer.slice(-500)}`
}
