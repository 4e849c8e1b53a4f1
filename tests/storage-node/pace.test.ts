// Work that repeats in the background: how soon after a failure, after a success, and when woken.
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { startLoop } from '../../storage-node/pace.ts'

const RETRY_MS = 1000

test('what fails is tried again after twice as long each time, up to a minute; success ends that', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let runCount = 0
    let failureCount = 0
    let isFailing = true
    const loop = startLoop({
      step: async () => {
        runCount++
        if (isFailing) throw new Error('no room')
        return 0
      },
      retryMs: RETRY_MS,
      onError: () => void failureCount++,
    })
    const after = async (timeMs: number) => {
      mock.timers.tick(timeMs)
      // All that follows from the timer, and nothing that needs another.
      await new Promise(setImmediate)
      return runCount
    }
    assert.equal(await after(0), 1)
    for (const [index, seconds] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
      assert.equal(await after(seconds * 1000 - 1), 1 + index, `${seconds}`)
      assert.equal(await after(1), 2 + index, `${seconds}`)
    }
    assert.equal(failureCount, runCount)
    isFailing = false
    loop.wake()
    const before = runCount
    assert.equal(await after(60_000), before + 1)
    isFailing = true
    assert.equal(await after(0), before + 2)
    assert.equal(await after(RETRY_MS), before + 3)
    await loop.stop()
  } finally {
    mock.timers.reset()
  }
})
