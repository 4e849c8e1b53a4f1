// What leaves on one socket to a node: all that is sent in one turn of the event loop leaves in one
// system call. Small frames are copied together, for a write of its own costs each of them more
// than that; bulk is never copied. Knows no frames.
import type { Socket } from 'node:net'

/** Frames with no more than this are copied together with the others of a turn. */
const SMALL_BYTES = 16_384

export class FrameOutbox {
  readonly #socket: Socket
  #small: Uint8Array[] = []
  #isCorked = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Sends the segments of one frame; `onSent` is called when the socket no longer needs them. */
  send(segments: readonly Uint8Array[], onSent?: () => void): void {
    this.#cork()
    const sizeBytes = segments.reduce((sum, segment) => sum + segment.length, 0)
    if (sizeBytes <= SMALL_BYTES && onSent === undefined) {
      this.#small.push(...segments)
      return
    }
    this.#sendSmall()
    const last = segments.length - 1
    for (const [at, segment] of segments.entries()) {
      if (at === last && onSent !== undefined) this.#socket.write(segment, () => onSent())
      else this.#socket.write(segment)
    }
  }

  #cork(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#socket.cork()
    setImmediate(() => {
      this.#isCorked = false
      this.#sendSmall()
      this.#socket.uncork()
    })
  }

  #sendSmall(): void {
    if (this.#small.length === 0) return
    const small = this.#small
    this.#small = []
    if (this.#socket.destroyed) return
    this.#socket.write(small.length === 1 ? small[0]! : Buffer.concat(small))
  }
}
