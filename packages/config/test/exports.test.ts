import { expect, it } from 'vitest'
import * as config from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(config).sort()).toEqual([
    'ConfigUnreadableError',
    'InvalidConfigError',
    'configEnvironment',
    'defaultDataDir',
    'describeConfig',
    'loadConfig',
    'parseConfig'
  ])
})
