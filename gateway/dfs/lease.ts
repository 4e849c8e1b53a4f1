// When the bytes of a large buffer may be given back at once instead of waiting for the collector.
// This module alone detaches buffers: V8 answers tens of megabytes of dead external memory per
// second with full collections, and giving them back early nearly halves the gateway's time per
// byte. The price is that a use after release is an error, so a buffer is lent with the number of
// its holders, and is given back only when each of them has said so.

/** A buffer lent to `holders` users. */
export class Lease {
  #buffer: Uint8Array | undefined
  #holders: number

  /** `buffer` must be made by the caller and known to nobody but the holders. */
  constructor(buffer: Uint8Array, holders: number) {
    this.#buffer = buffer
    this.#holders = holders
  }

  /** One holder is done. The last one's call gives the memory back. */
  readonly release = (): void => {
    if (--this.#holders > 0) return
    const buffer = this.#buffer
    this.#buffer = undefined
    // A slice of Node's shared pool must stay: others live in the same memory.
    if (buffer === undefined || buffer.byteLength !== buffer.buffer.byteLength) return
    if (buffer.buffer instanceof ArrayBuffer) buffer.buffer.transfer(0)
  }
}
