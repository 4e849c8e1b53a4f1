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
  const iterator = source[Symbol.asyncIterator]()
  // Ends the wait of the moment. One promise for all waits would keep all that ever waited for it.
  let giveUp = (_error: DfsError) => {}
  const onAbort = () => giveUp(aborted())
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      if (signal?.aborted === true) throw aborted()
      const { value, done } = await new Promise<IteratorResult<T>>((resolve, reject) => {
        giveUp = reject
        iterator.next().then(resolve, reject)
      })
      if (done === true) return
      yield value
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    iterator.return?.().catch(() => {})
  }
}

function aborted(): DfsError {
  return new DfsError('ABORTED', 'The request was given up.')
}
