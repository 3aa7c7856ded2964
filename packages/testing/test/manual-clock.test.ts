import { describe, expect, it } from 'vitest'
import { manualClock } from '../src/index.ts'

describe('manualClock', () => {
  it('stands still until it is moved', async () => {
    const clock = manualClock(1000)
    expect(clock.now()).toBe(1000)
    await clock.advance(500)
    expect(clock.now()).toBe(1500)
  })

  it('runs what falls due in the order of its time, and then of its making', async () => {
    const clock = manualClock(0)
    const runs: Array<[string, number]> = []
    const note = (name: string) => (): void => {
      runs.push([name, clock.now()])
    }
    clock.schedule(note('late'), 30)
    clock.schedule(note('first'), 10)
    clock.schedule(note('second'), 10)
    clock.schedule(note('too late'), 31)
    await clock.advance(30)
    expect(runs).toEqual([
      ['first', 10],
      ['second', 10],
      ['late', 30]
    ])
    expect(clock.pending).toBe(1)
  })

  it('runs timers that were made on the way, once what waited for a promise has gone on', async () => {
    const clock = manualClock(0)
    const times: number[] = []
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.schedule(resolve, ms))
    const loop = async (): Promise<void> => {
      for (let round = 0; round < 3; round++) {
        await sleep(10)
        times.push(clock.now())
      }
    }
    const done = loop()
    await clock.advance(100)
    await done
    expect(times).toEqual([10, 20, 30])
  })

  it('does not run what was cancelled', async () => {
    const clock = manualClock()
    let ran = false
    const cancel = clock.schedule(() => {
      ran = true
    }, 10)
    expect(clock.pending).toBe(1)
    cancel()
    cancel()
    expect(clock.pending).toBe(0)
    await clock.advance(20)
    expect(ran).toBe(false)
  })

  it('lets the event loop turn before it runs a timer', async () => {
    const clock = manualClock()
    let turned = false
    setImmediate(() => {
      turned = true
    })
    let seen: boolean | undefined
    clock.schedule(() => {
      seen = turned
    }, 0)
    await clock.advance(0)
    expect(seen).toBe(true)
  })
})
