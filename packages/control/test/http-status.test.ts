import type { ErrorCode } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { httpStatusOf, isLoopback } from '../src/index.ts'

describe('httpStatusOf', () => {
  it.each<[ErrorCode, boolean, number]>([
    ['ERR_NOT_FOUND', false, 404],
    ['ERR_VERSION_EXISTS', false, 409],
    ['ERR_INVALID_REFERENCE', false, 400],
    ['ERR_INVALID_CURSOR', false, 400],
    ['ERR_NOT_OWNER', false, 403],
    ['ERR_STALE_STATEMENT', true, 409],
    ['ERR_INVALID_CATALOGUE_FILE', false, 422],
    ['ERR_INVALID_MANIFEST', false, 422],
    ['ERR_FETCH_TIMEOUT', true, 504],
    ['ERR_NO_PROVIDERS', true, 503],
    ['ERR_ANYTHING_ELSE', false, 500]
  ])('makes of %s, retryable %s, a %i', (code, retryable, status) => {
    expect(httpStatusOf({ code, retryable })).toBe(status)
  })
})

describe('isLoopback', () => {
  it('is true for this machine alone', () => {
    for (const host of [
      '127.0.0.1',
      '127.1.2.3',
      '::1',
      '[::1]',
      '::ffff:127.0.0.1',
      'localhost',
      'LocalHost'
    ])
      expect(isLoopback(host), host).toBe(true)
    for (const host of [
      '',
      '0.0.0.0',
      '::',
      '10.0.0.1',
      '127.evil.example',
      'localhost.evil.example',
      '1.127.0.0'
    ])
      expect(isLoopback(host), host).toBe(false)
  })
})
