import { expect, it } from 'vitest'
import * as timing from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(timing).sort()).toEqual([
    'deadline',
    'itemsUntilAborted',
    'pause',
    'systemClock',
    'untilAborted',
    'withDeadline'
  ])
})
