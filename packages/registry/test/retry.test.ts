import { manualClock } from '@registry/testing'
import { RegistryError } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { RETRY_DEFAULTS, retry } from '../src/index.ts'

const transient = new RegistryError('ERR_NO_PROVIDERS', 'nobody has it', { retryable: true })

describe('retry', () => {
  it('tries again after growing pauses while the error says that it may help', async () => {
    const clock = manualClock()
    const triedAtMs: number[] = []
    const startMs = clock.now()
    const trying = retry(
      async (attempt) => {
        triedAtMs.push(clock.now() - startMs)
        if (attempt < 5) throw transient
        return 'got it'
      },
      { attempts: 5, baseDelayMs: 100, maxDelayMs: 300, clock }
    )
    await clock.advance(10_000)
    expect(await trying).toBe('got it')
    expect(triedAtMs).toEqual([0, 100, 300, 600, 900])
  })

  it('gives up with the last error', async () => {
    const clock = manualClock()
    let attempts = 0
    const trying = retry(
      async () => {
        attempts++
        throw transient
      },
      { clock }
    )
    const expectation = expect(trying).rejects.toBe(transient)
    await clock.advance(10_000)
    await expectation
    expect(attempts).toBe(RETRY_DEFAULTS.attempts)
  })

  it('tries only once what cannot succeed later', async () => {
    for (const error of [new RegistryError('ERR_NO_MANIFEST', 'none'), new Error('a bug')]) {
      let attempts = 0
      const trying = retry(async () => {
        attempts++
        throw error
      })
      await expect(trying).rejects.toBe(error)
      expect(attempts).toBe(1)
    }
  })

  it('ends with the reason of its signal, also within a pause, and leaves no timer', async () => {
    const clock = manualClock()
    const controller = new AbortController()
    const trying = retry(
      async () => {
        throw transient
      },
      { clock, signal: controller.signal }
    )
    const reason = new Error('enough')
    const expectation = expect(trying).rejects.toBe(reason)
    await clock.advance(0)
    expect(clock.pending).toBe(1)
    controller.abort(reason)
    await expectation
    expect(clock.pending).toBe(0)
    await expect(retry(async () => 1, { signal: controller.signal })).rejects.toBe(reason)
  })
})
