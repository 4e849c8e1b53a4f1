// The socket to a node: plain TCP or TLS under the same frames, read into one buffer that is used
// again for every read of every connection.
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { giveBack } from './lease.ts'

/** Larger reads cost fewer turns; beyond this, the buffer falls out of the processor's cache. */
const READ_BYTES = 262_144

/**
 * One for all connections: on POSIX systems libuv asks for memory, reads and calls back in one
 * go. On Windows memory is lent to the kernel ahead of time, so there each has its own.
 */
const shared = process.platform === 'win32' ? undefined : Buffer.allocUnsafeSlow(READ_BYTES)

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
    return socket.on('data', (bytes: Buffer) => {
      push(bytes)
      giveBack(bytes)
    })
  }
  const buffer = shared ?? Buffer.allocUnsafeSlow(READ_BYTES)
  const callback = (lengthBytes: number) => {
    push(buffer.subarray(0, lengthBytes))
    return true
  }
  return connectTcp({ host, port, onread: { buffer, callback } })
}
