// The sockets that a node has accepted, read in the way that costs least: all of them into one
// buffer that is used again for every read. Knows no frames. The life of a buffer of an upload on
// this side: the kernel fills the read buffer; before the next read, FrameReader checks the bytes
// and the row writer hands them to the disk's cache, or collectBody copies a small body; nothing
// keeps a reference. Where there is no such buffer (TLS), each read brings a buffer of its own,
// which is given back here, and nowhere else, when the reader has returned.
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** Larger reads cost fewer turns; beyond this, the buffer falls out of the processor's cache. */
const READ_BYTES = 262_144

export interface AcceptedSocket {
  readonly socket: Socket
  /** Who takes what arrives; the bytes are valid during the call only. Called once, at once. */
  deliverTo(take: (bytes: Buffer) => void): void
}

/** Answers how a socket of the server's `connection` event is taken over, paused or not. */
export function createAcceptor(): (socket: Socket) => AcceptedSocket {
  // One for all connections: on POSIX systems libuv asks for memory, reads and calls back in one
  // go. On Windows memory is lent to the kernel ahead of time, so there each has its own.
  const shared = process.platform === 'win32' ? undefined : Buffer.allocUnsafeSlow(READ_BYTES)
  return (socket) => {
    const handle = plainHandleOf(socket)
    return handle === undefined || shared === undefined
      ? readAsItComes(socket)
      : readInto(shared, socket, handle)
  }
}

/**
 * `onread` is an option of sockets that connect; an accepted one gets it by a new Socket around
 * its handle. That field has no documentation: where it is not what we know, we do without.
 */
function plainHandleOf(socket: Socket): object | undefined {
  if (socket instanceof TLSSocket) return undefined
  const { _handle: handle } = socket as unknown as { _handle?: { useUserBuffer?: unknown } }
  return typeof handle?.useUserBuffer === 'function' ? handle : undefined
}

function readInto(buffer: Buffer, accepted: Socket, handle: object): AcceptedSocket {
  let take = (_bytes: Buffer): void => {}
  ;(accepted as unknown as { _handle: object | null })._handle = null
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer,
      callback(lengthBytes: number) {
        take(buffer.subarray(0, lengthBytes))
        return true
      },
    },
  }
  const socket = new Socket(options as object)
  // The server counts its own object; that one ends with the one in use.
  socket.once('close', () => accepted.destroy())
  return {
    socket,
    deliverTo: (taker) => {
      take = taker
    },
  }
}

function readAsItComes(socket: Socket): AcceptedSocket {
  return {
    socket,
    deliverTo(take) {
      socket.on('data', (bytes: Buffer) => {
        take(bytes)
        giveBack(bytes)
      })
      socket.resume()
    },
  }
}

/** Gives the memory of a buffer back at once; left to the collector it costs a third of the CPU. */
function giveBack(bytes: Buffer): void {
  const whole = bytes.buffer as ArrayBuffer
  // Slices of a pool are shared and must stay.
  if (bytes.length === whole.byteLength) whole.transfer(0)
}
