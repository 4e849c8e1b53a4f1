// Takes the bytes of a socket as they come and hands on whole, checked frame heads and the bytes of
// their bodies. Holds at most one head; a body passes through without being kept.
import { crc32 } from 'node:zlib'
import {
  decodeFrameHead,
  decodePrelude,
  type FrameHead,
  PRELUDE_BYTES,
  type Prelude,
} from './frame.ts'

/** Takes one body. All calls are made while `push` runs. */
export interface BodySink {
  /** The body's CRC-32s are not compared: whoever takes it has a better check of what it is. */
  isUnchecked?: boolean
  /** `chunk` belongs to `section` and is valid only during the call: use it or copy it. */
  write(chunk: Buffer, section: number): void
  /** The body has arrived whole; `damaged` lists the sections whose CRC-32 did not match. */
  end(damaged: readonly number[]): void
}

export interface FrameReaderOptions {
  /** Called for each head, before its body; answers who takes the body. A throw ends the stream. */
  onFrame(head: FrameHead): BodySink
}

/** A sink for frames whose body is not wanted. */
export const ignoreBody: BodySink = { write() {}, end() {} }

/** Gathers a small body (at most MAX_BODY_BYTES) into one buffer for each section. */
export function collectBody(
  head: FrameHead,
  done: (sections: Buffer[], damaged: readonly number[]) => void,
): BodySink {
  const sections = head.sections.map(([lengthBytes]) => Buffer.allocUnsafeSlow(lengthBytes))
  const filled = head.sections.map(() => 0)
  return {
    write(chunk, section) {
      chunk.copy(sections[section]!, filled[section]!)
      filled[section]! += chunk.length
    },
    end: (damaged) => done(sections, damaged),
  }
}

/**
 * Cuts a byte stream into frames. `push` throws DfsError where framing is lost; do not push again
 * then.
 */
export class FrameReader {
  #onFrame: (head: FrameHead) => BodySink
  #prelude: Prelude | undefined
  #headBuffer = Buffer.allocUnsafe(4096)
  #headFilled = 0
  #body: BodyProgress | undefined

  constructor(options: FrameReaderOptions) {
    this.#onFrame = options.onFrame
  }

  /** Whether the bytes so far end between two frames. */
  get isBetweenFrames(): boolean {
    return this.#headFilled === 0 && this.#body === undefined
  }

  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      at += this.#body === undefined ? this.#takeHead(bytes, at) : this.#takeBody(bytes, at)
    }
  }

  #takeHead(bytes: Buffer, at: number): number {
    const wanted = PRELUDE_BYTES + headRest(this.#prelude)
    const taken = Math.min(wanted - this.#headFilled, bytes.length - at)
    this.#reserve(wanted)
    bytes.copy(this.#headBuffer, this.#headFilled, at, at + taken)
    this.#headFilled += taken
    if (this.#headFilled < wanted) return taken
    if (this.#prelude === undefined) {
      this.#prelude = decodePrelude(this.#headBuffer)
      if (headRest(this.#prelude) > 0) return taken
    }
    this.#finishHead(this.#prelude)
    return taken
  }

  #finishHead(prelude: Prelude): void {
    const preludeBytes = this.#headBuffer.subarray(0, PRELUDE_BYTES)
    const rest = this.#headBuffer.subarray(PRELUDE_BYTES, this.#headFilled)
    const head = decodeFrameHead(prelude, preludeBytes, rest)
    this.#prelude = undefined
    this.#headFilled = 0
    const sink = this.#onFrame(head)
    this.#body = { head, sink, section: 0, left: head.sections[0]?.[0] ?? 0, crc: 0, damaged: [] }
    this.#closeSections(this.#body)
  }

  #takeBody(bytes: Buffer, at: number): number {
    const body = this.#body!
    const chunk = bytes.subarray(at, at + Math.min(body.left, bytes.length - at))
    if (body.sink.isUnchecked !== true) body.crc = crc32(chunk, body.crc)
    body.left -= chunk.length
    body.sink.write(chunk, body.section)
    if (body.left === 0) this.#closeSections(body)
    return chunk.length
  }

  /** Steps over every section that is complete, and over the body when the last one is. */
  #closeSections(body: BodyProgress): void {
    const { sections } = body.head
    while (body.section < sections.length && body.left === 0) {
      const isRight = body.sink.isUnchecked === true || body.crc === sections[body.section]![1]
      if (!isRight) body.damaged.push(body.section)
      body.section++
      body.left = sections[body.section]?.[0] ?? 0
      body.crc = 0
    }
    if (body.section < sections.length) return
    this.#body = undefined
    body.sink.end(body.damaged)
  }

  #reserve(length: number): void {
    if (this.#headBuffer.length >= length) return
    const larger = Buffer.allocUnsafe(length)
    this.#headBuffer.copy(larger, 0, 0, this.#headFilled)
    this.#headBuffer = larger
  }
}

interface BodyProgress {
  head: FrameHead
  sink: BodySink
  section: number
  /** Bytes of the current section that have not arrived. */
  left: number
  crc: number
  damaged: number[]
}

function headRest(prelude: Prelude | undefined): number {
  return prelude === undefined ? 0 : prelude.headerLength + prelude.proofLength
}
