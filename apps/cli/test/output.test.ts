import { describe, expect, it } from 'vitest'
import { ago, bytes, duration, fields, plain, plural, table } from '../src/output.ts'

describe('what is printed', () => {
  it('has no control or direction characters of others', () => {
    expect(plain('a\u001b[2Jb\r\nc\u202ed\u0000')).toBe('a [2Jb c d')
    expect(table(['NAME', 'TEXT'], [['a', 'x\ny']])[1]).toBe('a     x y')
    expect(fields([['Name', 'x\u009by']])[0]).toMatch(/Name {2}x y$|x y/)
  })

  it('has aligned columns, and no label without a value', () => {
    expect(
      table(
        ['A', 'LONG'],
        [
          ['longer', 'b'],
          ['c', '']
        ]
      ).slice(1)
    ).toEqual(['longer  b', 'c'])
    expect(
      fields([
        ['A', undefined],
        ['B', '']
      ])
    ).toEqual([])
  })

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [10 * 1024 ** 3, '10.0 GiB']
  ])('writes %i bytes as %s', (count, text) => expect(bytes(count)).toBe(text))

  it.each([
    [0, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [5_400_000, '1 h 30 min'],
    [200_000_000, '2 d']
  ])('writes %i ms as %s', (ms, text) => expect(duration(ms)).toBe(text))

  it('says how long ago a time is, and takes none that is to come', () => {
    expect(ago(null)).toBe('never')
    expect(ago(Date.now() - 120_000)).toBe('2 min ago')
    expect(ago(Date.now() + 120_000)).toBe('0 s ago')
  })

  it('counts one and many', () => {
    expect([plural(1, 'peer'), plural(2, 'peer'), plural(0, 'entry', 'entries')]).toEqual([
      '1 peer',
      '2 peers',
      '0 entries'
    ])
  })
})
