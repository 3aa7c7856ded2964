import { expect, it } from 'vitest'
import * as contentRouting from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(contentRouting).sort()).toEqual([
    'CONTENT_ROUTER_DEFAULTS',
    'FetchTimeoutError',
    'HashMismatchError',
    'NoProvidersError',
    'NotProvidedError',
    'RouterStoppedError',
    'afterExchange',
    'contentRouter',
    'reputationOf',
    'smoothLatency'
  ])
})
