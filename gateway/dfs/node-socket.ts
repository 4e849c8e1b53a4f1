// The socket to a node: plain TCP or TLS under the same frames, read into one buffer that is used
// again.
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

const READ_BUFFER_BYTES = 65_536

export interface NodeAddress {
  /** Node 0..3. */
  index: number
  host: string
  port: number
  tls?: { ca?: Buffer; servername?: string }
}

/** Connects; `push` gets what arrives, valid only during the call. */
export function openNodeSocket(address: NodeAddress, push: (bytes: Buffer) => void): Socket {
  const { host, port, tls } = address
  if (tls !== undefined) {
    const socket = connectTls({ host, port, ...tls })
    return socket.on('data', push)
  }
  // One buffer for all that arrives: frames are taken out of it before the next read.
  const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
  const callback = (lengthBytes: number) => {
    push(buffer.subarray(0, lengthBytes))
    return true
  }
  return connectTcp({ host, port, onread: { buffer, callback } })
}
