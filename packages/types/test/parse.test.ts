import { describe, expect, it } from 'vitest'
import {
  PROTOCOL_LIMITS,
  parseBytes,
  parseCount,
  parseList,
  parseMap,
  parseOptionalText,
  parseText,
  parseTextMap
} from '../src/index.ts'

describe('the parsers’ building blocks', () => {
  it('give back what fits', () => {
    expect(parseText('ab', 'f', 2)).toBe('ab')
    expect(parseOptionalText(undefined, 'f', 2)).toBeUndefined()
    expect(parseCount(3, 'f', 3)).toBe(3)
    expect(parseBytes(new Uint8Array(2), 'f', 2)).toEqual(new Uint8Array(2))
    expect(parseBytes(new Uint8Array(2), 'f', 9, 2)).toEqual(new Uint8Array(2))
    expect(parseList([1, 2], 'f', 2, parseCount)).toEqual([1, 2])
    expect({ ...parseTextMap({ a: 'b' }, 'f', 1, 1, 1) }).toEqual({ a: 'b' })
  })

  it.each<[string, () => unknown]>([
    ['f: must be a map', () => parseMap([], 'f')],
    ['f: must be a map', () => parseMap(null, 'f')],
    ['f: must be a map', () => parseMap(new Uint8Array(1), 'f')],
    ['f: must be a text', () => parseText(1, 'f', 2)],
    ['f: must be a text', () => parseOptionalText(null, 'f', 2)],
    ['f: must be at most 2 characters long', () => parseText('abc', 'f', 2)],
    ['f: must be well-formed Unicode', () => parseText('\ud800', 'f', 2)],
    ['f: must be a whole number from 0 to 3', () => parseCount(4, 'f', 3)],
    ['f: must be a whole number from 0 to 3', () => parseCount('3', 'f', 3)],
    ['f: must be bytes', () => parseBytes([1], 'f', 2)],
    ['f: must be at most 2 bytes long', () => parseBytes(new Uint8Array(3), 'f', 2)],
    ['f: must be 3 bytes long', () => parseBytes(new Uint8Array(2), 'f', 9, 3)],
    ['f: must be a list', () => parseList({ length: 0 }, 'f', 1, parseCount)],
    ['f: must have at most 1 entries', () => parseList([1, 2], 'f', 1, parseCount)],
    ['f[1]: must be a whole number', () => parseList([1, 'x'], 'f', 2, parseCount)],
    ['f: must have at most 1 entries', () => parseTextMap({ a: '', b: '' }, 'f', 1, 1, 1)],
    ['f key: must be at most 1 characters', () => parseTextMap({ ab: '' }, 'f', 1, 1, 1)],
    ['f.a: must be a text', () => parseTextMap({ a: 1 }, 'f', 1, 1, 1)]
  ])('say where and why: %s', (message, parse) => {
    expect(parse).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }))
  })
})

it('has limits that nobody can change at run time', () => {
  expect(Object.isFrozen(PROTOCOL_LIMITS)).toBe(true)
  expect(PROTOCOL_LIMITS.maxRecordBytes).toBe(65_536)
})
