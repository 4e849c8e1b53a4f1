// A TCP relay that keeps a copy of all that passes, both ways: what a listener on the network would
// have.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Recorder extends AsyncDisposable {
  port: number
  /** All bytes of all connections, in the order in which they came. */
  bytes(): Buffer
}

/** Listens on a port that the system chooses and relays to `port` on this machine. */
export async function startRecorder(port: number): Promise<Recorder> {
  const seen: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((from) => {
    const to = connect({ host: '127.0.0.1', port })
    for (const [source, target] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(source)
      source.on('data', (bytes: Buffer) => {
        seen.push(bytes)
        if (!target.write(bytes)) source.pause()
      })
      target.on('drain', () => source.resume())
      source.on('error', () => target.destroy())
      source.on('close', () => target.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    bytes: () => Buffer.concat(seen),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
