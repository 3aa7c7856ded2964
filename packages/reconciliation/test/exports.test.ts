import { expect, it } from 'vitest'
import * as reconciliation from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(reconciliation).sort()).toEqual([
    'InvalidSymbolsError',
    'SHORT_ID_BYTES',
    'SetChangedError',
    'decoder',
    'decoderDefaults',
    'estimateDifferences',
    'sketch',
    'sketchDefaults',
    'symbolsFor'
  ])
})
