import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatProjectNames,
  parseOwnerId,
  parsePackageName,
  parseProjectNames,
  splitProjectNames
} from '../src/index.ts'

const OWNERS = ['y', 'u', 'q'].map((last) =>
  parseOwnerId(`bafyreic2fkc4r2uhw6udsoqj5klptv5qtl2m5762nl7aotofupchy74of${last}`)
)

const [ADA = parseOwnerId('')] = OWNERS

describe('the names of a project', () => {
  it('are read back as they are written, in one order', () => {
    const names = fc.uniqueArray(fc.constantFrom('kit', 'log', '@acme/log', 'a.b', '@a.b/c'), {
      minLength: 1
    })
    fc.assert(
      fc.property(names, fc.nat(2), (list, shift) => {
        const entries = list.map(
          (name, i) => [parsePackageName(name), OWNERS[(i + shift) % 3] ?? ADA] as const
        )
        const text = formatProjectNames(new Map(entries))
        expect(parseProjectNames(text)).toEqual(new Map(entries))
        expect(formatProjectNames(new Map(entries.toReversed()))).toBe(text)
      })
    )
  })

  it('stand before the path, and are none where nothing says so', () => {
    expect(splitProjectNames(`/~/kit@${ADA}/kit/-/kit-1.0.0.tgz`)).toEqual({
      names: new Map([['kit', ADA]]),
      path: '/kit/-/kit-1.0.0.tgz'
    })
    expect(splitProjectNames(`/~/kit@${ADA}`).path).toBe('/')
    expect(splitProjectNames('/kit')).toEqual({ names: new Map(), path: '/kit' })
  })

  it('are no more than a project has', () => {
    const many = Array.from({ length: 201 }, (_, i) => `kit${i}@${ADA}`).join()
    expect(() => parseProjectNames(many)).toThrow('more than the 200th')
  })
})
