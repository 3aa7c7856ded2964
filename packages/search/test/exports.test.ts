import { expect, it } from 'vitest'
import * as search from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(search).sort()).toEqual(['InvalidCursorError', 'SearchStorageError', 'searchIndex'])
})
