import { type ErrorCode, RegistryError } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { errorDataOf, errorText, exitCodeOf, UsageError } from '../src/index.ts'

describe('errorText', () => {
  const error = new RegistryError('ERR_NO_PROVIDERS', 'Nobody has it', { retryable: true })

  it('is a sentence and a hint for people, a line of data for programs', () => {
    expect(errorText(new UsageError('No', 'Yes.'), 'text')).toBe('No\nHint: Yes.\n')
    expect(JSON.parse(errorText(error, 'json'))).toEqual({
      code: 'ERR_NO_PROVIDERS',
      message: 'Nobody has it',
      retryable: true,
      hint: 'This may pass: try again.'
    })
  })

  it.each([
    ['ENOENT', 'Cannot open "/a/b": there is no such file or folder'],
    ['EACCES', 'Cannot open "/a/b": this user may not'],
    ['EWEIRD', 'Cannot open "/a/b": EWEIRD']
  ])('tells a refusal of the system, %s, as a sentence', (code, message) => {
    const error = new Error(`${code}: as libuv says it, open '/a/b'`)
    const refused = Object.assign(error, { code, syscall: 'open', path: '/a/b' })
    expect(errorDataOf(refused)).toMatchObject({ code: 'ERR_FILE', message })
  })

  it('has a code and a hint for whatever was thrown', () => {
    const file = Object.assign(new Error('ENOENT: no such file'), { syscall: 'open' })
    for (const [thrown, code] of [
      [file, 'ERR_FILE'],
      [new TypeError('x is not a function'), 'ERR_UNEXPECTED'],
      ['a text', 'ERR_UNEXPECTED']
    ]) {
      expect(errorDataOf(thrown)).toMatchObject({ code, hint: expect.stringMatching(/\w/) })
    }
  })
})

describe('exitCodeOf', () => {
  it.each<[ErrorCode, boolean, number]>([
    ['ERR_STORAGE', false, 1],
    ['ERR_USAGE', false, 2],
    ['ERR_NOT_FOUND', false, 3],
    ['ERR_NO_PEER', false, 4],
    ['ERR_NO_PROVIDERS', true, 5],
    ['ERR_INTERRUPTED', false, 130]
  ])('makes of %s, retryable %s, %i', (code, retryable, exitCode) => {
    expect(exitCodeOf(new RegistryError(code, 'no', { retryable }))).toBe(exitCode)
  })

  it('is 1 for a fault of the program', () => {
    expect(exitCodeOf(new TypeError('x'))).toBe(1)
  })
})
