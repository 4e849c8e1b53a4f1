// A source that ends when a signal says so, also while it waits for bytes that never come.
import { DfsError } from '@fourfold/storage-node/protocol'

/**
 * `source` until `signal` aborts. The source is told to end, but nobody waits for it to obey.
 * @throws DfsError ABORTED
 */
export async function* abortable<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  if (signal === undefined) {
    yield* source
    return
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  aborted.catch(() => {})
  const onAbort = () => reject(new DfsError('ABORTED', 'The request was given up.'))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const iterator = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await Promise.race([iterator.next(), aborted])
      if (done === true) return
      yield value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    iterator.return?.().catch(() => {})
  }
}
