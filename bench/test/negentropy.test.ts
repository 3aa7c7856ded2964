import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Negentropy, type NegentropyItem, NegentropyStorage } from '../negentropy.ts'

function item(name: string, time: number): NegentropyItem {
  return { time, id: new Uint8Array(createHash('sha256').update(name).digest()) }
}

function reconcile(mine: readonly NegentropyItem[], theirs: readonly NegentropyItem[], sums: boolean) {
  const asking = new Negentropy(new NegentropyStorage(mine, { sums }))
  const answering = new Negentropy(new NegentropyStorage(theirs, { sums }))
  const messages: Uint8Array[] = []
  const have: string[] = []
  const need: string[] = []
  let message: Uint8Array | undefined = asking.initiate()
  while (message !== undefined) {
    const answer: Uint8Array = answering.reconcile(message).message ?? new Uint8Array()
    messages.push(message, answer)
    const result = asking.reconcile(answer)
    have.push(...result.have.map((id) => Buffer.from(id).toString('hex')))
    need.push(...result.need.map((id) => Buffer.from(id).toString('hex')))
    message = result.message
  }
  return { messages, have: have.sort(), need: need.sort() }
}

const hex = ({ id }: NegentropyItem): string => Buffer.from(id).toString('hex')

describe('range-based reconciliation', () => {
  it('finds what each of two sets has alone, with sums and without in the same bytes', () => {
    const size = fc.integer({ min: 0, max: 400 })
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 1, max: 50 }), (common, mine, theirs, times) => {
        const made = (kind: string, count: number): NegentropyItem[] =>
          Array.from({ length: count }, (_, at) => item(`${kind} ${at}`, at % times))
        const [both, left, right] = [made('both', common), made('left', mine), made('right', theirs)]
        const plain = reconcile([...both, ...left], [...both, ...right], false)
        expect(plain.have).toEqual(left.map(hex).sort())
        expect(plain.need).toEqual(right.map(hex).sort())
        expect(reconcile([...both, ...left], [...both, ...right], true)).toEqual(plain)
      }),
      { numRuns: 25 }
    )
  })

  it('sends the bytes that the reference implementation in JavaScript sends', () => {
    const all = Array.from({ length: 1000 }, (_, at) => item(`item ${at}`, 1_700_000_000 + (at % 7)))
    const { messages } = reconcile(all.slice(0, 990), all.slice(10), false)
    const digests = messages.map((message) => createHash('sha256').update(message).digest('hex').slice(0, 16))
    expect(messages.map(({ length }) => length)).toEqual([326, 4233, 2681, 2681])
    expect(digests).toEqual(['5b6a65f346c278f6', '94c05c763aa31e98', '49e0a289386b63ce', '042584f2f3c721e5'])
  })
})
