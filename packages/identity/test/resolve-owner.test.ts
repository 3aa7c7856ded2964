import { isRegistryError, type OwnerId, parsePackageReference } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { createOwner, createSigner, resolveOwner } from '../src/index.ts'

const ids = await Promise.all(
  [1, 2, 3].map(async (fill) => (await createOwner(createSigner(new Uint8Array(32).fill(fill)))).id)
)
const [ada, bob, eve] = ids as [OwnerId, OwnerId, OwnerId]
const hello = parsePackageReference('hello@^1.0.0')

describe('the owner a reference means', () => {
  it('is the one it names, whatever else is known', () => {
    const reference = parsePackageReference(`@${eve}/hello`)
    expect(resolveOwner({ reference, candidates: [ada, bob], pins: [() => ada] })).toBe(eve)
  })

  it('is the only one that has the name', () => {
    expect(resolveOwner({ reference: hello, candidates: [ada] })).toBe(ada)
    expect(resolveOwner({ reference: hello, candidates: [ada, ada] })).toBe(ada)
  })

  it('is nobody when nobody has the name', () => {
    expect(resolveOwner({ reference: hello, candidates: [] })).toBeUndefined()
  })

  it('is that of the strongest pin that knows the name', () => {
    const pins = [new Map([['other', eve]]), new Map([['hello', bob]]), new Map([['hello', eve]])].map(
      (names) => (name: string) => names.get(name)
    )
    expect(resolveOwner({ reference: hello, candidates: [ada, bob, eve], pins })).toBe(bob)
  })

  it('stays the pinned one when only another has the name', () => {
    expect(resolveOwner({ reference: hello, candidates: [eve], pins: [() => ada] })).toBe(ada)
    expect(resolveOwner({ reference: hello, candidates: [], pins: [() => ada] })).toBe(ada)
  })

  it('is an error of bounded length, however many have taken the name', () => {
    const candidates = Array.from({ length: 10_000 }, (_, index) => `${ada}${index}` as OwnerId)
    let error: unknown
    try {
      resolveOwner({ reference: hello, candidates })
    } catch (thrown) {
      error = thrown
    }
    expect(isRegistryError(error, 'ERR_AMBIGUOUS_NAME') && error.details.candidates).toHaveLength(20)
    expect(isRegistryError(error) && error.message).toMatch(/^10000 owners have .* and 9980 more$/)
  })

  it('is an error with the references to choose from when several have the name', () => {
    let error: unknown
    try {
      resolveOwner({ reference: hello, candidates: [bob, ada], pins: [() => undefined] })
    } catch (thrown) {
      error = thrown
    }
    expect(isRegistryError(error, 'ERR_AMBIGUOUS_NAME') && error.details).toEqual({
      candidates: [`@${bob}/hello@^1.0.0`, `@${ada}/hello@^1.0.0`]
    })
    expect(String(error)).toContain(`@${bob}/hello@^1.0.0, @${ada}/hello@^1.0.0`)
  })
})
