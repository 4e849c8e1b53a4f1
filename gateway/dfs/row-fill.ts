// A row of plaintext while it fills, in slices as long as the pieces that they will be sealed into:
// a client that sends slowly takes no more memory than it has sent, to a quarter of a row.
import { pieceBytes, ROW_BYTES, TAG_BYTES } from '@fourfold/storage-node/protocol'

const SLICE_BYTES = pieceBytes(ROW_BYTES + TAG_BYTES, 0)

export class RowFill {
  #slices: Buffer[] = []
  /** Bytes of the last slice that are not filled. */
  #roomBytes = 0
  #expectedBytes: number
  /** Plaintext bytes of the row so far, at most `ROW_BYTES`. */
  lengthBytes = 0

  /** Where the bytes to come are known, a small file takes no more memory than it has. */
  constructor(expectedBytes: number = Number.POSITIVE_INFINITY) {
    this.#expectedBytes = expectedBytes
  }

  /** Whether more bytes were announced than have come. */
  get isMoreAnnounced(): boolean {
    return this.#expectedBytes > 0 && Number.isFinite(this.#expectedBytes)
  }

  /** Copies as many of the first bytes as the row has room for, and answers how many. */
  add(bytes: Uint8Array): number {
    const takenBytes = Math.min(bytes.length, ROW_BYTES - this.lengthBytes)
    for (let at = 0; at < takenBytes; ) {
      if (this.#roomBytes === 0) this.#addSlice()
      const slice = this.#slices.at(-1)!
      const length = Math.min(takenBytes - at, this.#roomBytes)
      slice.set(bytes.subarray(at, at + length), slice.length - this.#roomBytes)
      this.#roomBytes -= length
      this.lengthBytes += length
      this.#expectedBytes -= length
      at += length
    }
    return takenBytes
  }

  /** What came so far, in slices that follow each other; they stay in the row. */
  slices(): Buffer[] {
    const last = this.#slices.at(-1)
    // A full slice is handed on as it was made, for one that is cut cannot be given back.
    if (last === undefined || this.#roomBytes === 0) return [...this.#slices]
    return [...this.#slices.slice(0, -1), last.subarray(0, last.length - this.#roomBytes)]
  }

  /** The slices, which are the caller's from now on. The next row begins. */
  take(): Buffer[] {
    const slices = this.slices()
    this.#slices = []
    this.#roomBytes = 0
    this.lengthBytes = 0
    return slices
  }

  #addSlice(): void {
    const mostBytes = Math.min(SLICE_BYTES, ROW_BYTES - this.lengthBytes)
    // More than was expected is for others to refuse.
    const lengthBytes = Math.max(1, Math.min(mostBytes, this.#expectedBytes))
    this.#slices.push(Buffer.allocUnsafeSlow(lengthBytes))
    this.#roomBytes = lengthBytes
  }
}
