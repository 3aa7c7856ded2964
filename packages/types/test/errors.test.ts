import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  type ErrorCode,
  errorFromData,
  InvalidVersionError,
  isRegistryError,
  RegistryError
} from '../src/index.ts'

class FullError extends RegistryError<'ERR_FULL'> {
  constructor() {
    super('ERR_FULL', 'No room', {
      retryable: true,
      hint: 'Make room.',
      details: { freeBytes: 0 },
      cause: 'disk'
    })
  }
}

describe('an error', () => {
  it('says what it is, whether to try again and what to do', () => {
    const error = new FullError()
    expect(error).toMatchObject({
      name: 'FullError',
      code: 'ERR_FULL',
      message: 'No room',
      retryable: true,
      hint: 'Make room.',
      details: { freeBytes: 0 },
      cause: 'disk'
    })
    expect(String(error)).toBe('FullError: No room')
  })

  it('has neither hint, details nor cause unless told', () => {
    const error = new RegistryError('ERR_PLAIN', 'plain')
    expect(error.toJSON()).toEqual({ code: 'ERR_PLAIN', message: 'plain', retryable: false })
    expect('cause' in error).toBe(false)
  })

  it('is told by its code', () => {
    const error: unknown = new FullError()
    expect(isRegistryError(error)).toBe(true)
    expect(isRegistryError(error, 'ERR_FULL')).toBe(true)
    expect(isRegistryError(error, 'ERR_EMPTY')).toBe(false)
  })

  it('of another copy of this package is told just so', async () => {
    vi.resetModules()
    const copy = await import('../src/index.ts')
    const error: unknown = new copy.InvalidVersionError('x')
    expect(error).not.toBeInstanceOf(InvalidVersionError)
    expect(isRegistryError(error, 'ERR_INVALID_VERSION')).toBe(true)
    expect(copy.isRegistryError(new FullError(), 'ERR_FULL')).toBe(true)
  })

  it('is not anything that merely looks like one', () => {
    const lookalike = Object.assign(new Error('no'), { code: 'ERR_FULL', retryable: true })
    for (const value of [
      lookalike,
      new FullError().toJSON(),
      { ...new FullError() },
      null,
      undefined,
      'ERR_FULL'
    ]) {
      expect(isRegistryError(value)).toBe(false)
    }
  })

  it('is the same after a journey as JSON, but for its class and cause', () => {
    const error = errorFromData(JSON.parse(JSON.stringify(new FullError())))
    expect(isRegistryError(error, 'ERR_FULL')).toBe(true)
    expect(error.toJSON()).toEqual(new FullError().toJSON())
  })

  it('that cannot be read is an error all the same', () => {
    fc.assert(fc.property(fc.anything(), (data) => isRegistryError(errorFromData(data), 'ERR_UNKNOWN')))
    const made = fc.record({
      code: fc.string().map((text): ErrorCode => `ERR_${text}`),
      message: fc.string(),
      retryable: fc.anything(),
      hint: fc.anything(),
      details: fc.anything()
    })
    fc.assert(fc.property(made, (data) => isRegistryError(errorFromData(data), data.code)))
  })
})
