import { join } from 'node:path'
import { expect, it } from 'vitest'
import { defaultDataDir } from '../src/index.ts'

it('puts data where this system expects that of programs', () => {
  expect(defaultDataDir({ XDG_DATA_HOME: '/somewhere' })).toBe(join('/somewhere', 'p2p-registry'))
  expect(defaultDataDir({})).toMatch(/p2p-registry$/)
})
