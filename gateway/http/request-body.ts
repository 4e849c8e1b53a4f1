// Reads a body or a form's file as it arrives, and gives up on one that stands still. Assumes
// that nobody else reads the stream; leaves it open at the end, so that the connection can still
// carry an answer.
import type { Readable } from 'node:stream'
import { DfsError } from '@fourfold/storage-node/protocol'
import { Pace, type Patience } from './patience.ts'

export interface BodyOptions {
  /** How slowly it may come. */
  patience: Patience
  /** Names what went wrong when the stream ends early. */
  toError: (cause: unknown) => DfsError
  /** Called when the first bytes are wanted. */
  onStart?: () => void
}

/**
 * The bytes of `source`, in order. Unlike the stream's own iterator it does not destroy the
 * stream (and with it the connection) when the reader leaves early.
 * @throws DfsError IDLE_TIMEOUT, or what `toError` makes of a stream that fails or closes before
 *   its end
 */
export async function* readBody(source: Readable, options: BodyOptions): AsyncGenerator<Buffer> {
  options.onStart?.()
  let wake = () => {}
  let failure: unknown
  const pace = new Pace(options.patience)
  const onEvent = () => wake()
  const onError = (error: unknown) => {
    failure = error ?? new Error('The stream failed.')
    wake()
  }
  source.on('readable', onEvent).on('end', onEvent).on('close', onEvent).on('error', onError)
  try {
    while (true) {
      const bytes: Buffer | null = failure === undefined ? source.read() : null
      if (bytes !== null) {
        pace.saw(bytes.length, 0)
        yield bytes
        continue
      }
      if (failure !== undefined) throw options.toError(failure)
      if (source.readableEnded) return
      if (source.destroyed) throw options.toError(source.errored ?? undefined)
      const arrival = new Promise<void>((resolve) => {
        wake = resolve
      })
      const sinceMs = performance.now()
      await within(arrival, pace.limitMs)
      pace.saw(0, performance.now() - sinceMs)
      wake = () => {}
    }
  } finally {
    source.off('readable', onEvent).off('end', onEvent).off('close', onEvent).off('error', onError)
    // Whatever the stream still says is no longer anybody's: it must not end the process.
    source.on('error', ignore)
  }
}

/**
 * `work` with `source`: where the source failed, its failure is the reason, and what the worker
 * made of it is not.
 */
export async function withSource<T>(
  source: AsyncIterable<Buffer>,
  work: (source: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  let failure: unknown
  const onFailure = (error: unknown) => {
    failure = error
  }
  try {
    return await work(watched(source, onFailure))
  } catch (error) {
    throw failure ?? error
  }
}

async function* watched(
  source: AsyncIterable<Buffer>,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Buffer> {
  try {
    yield* source
  } catch (error) {
    onFailure(error)
    throw error
  }
}

/** `arrival`, or IDLE_TIMEOUT after `limitMs`. */
export async function within<T>(arrival: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, reject) => {
    const message = `No byte of the body came for ${limitMs / 1000} seconds.`
    timer = setTimeout(() => reject(new DfsError('IDLE_TIMEOUT', message)), limitMs)
  })
  try {
    return await Promise.race([arrival, silence])
  } finally {
    clearTimeout(timer)
    arrival.catch(ignore)
  }
}

/** The error of a body that the client did not finish. */
export function bodyEnded(cause: unknown): DfsError {
  return new DfsError('ABORTED', 'The connection ended before the body did.', { cause })
}

function ignore(): void {}
