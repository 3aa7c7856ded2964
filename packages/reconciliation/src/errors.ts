import { RegistryError } from '@registry/types'

/** The bytes are no coded symbols or probes, or not the ones that come next; `reason` is the rule broken. */
export class InvalidSymbolsError extends RegistryError<'ERR_INVALID_SYMBOLS'> {
  constructor(reason: string) {
    super('ERR_INVALID_SYMBOLS', `The coded symbols are not valid: ${reason}`, { details: { reason } })
  }
}

/** Well-formed coded symbols, but of a set that has another size than the one whose symbols came first. */
export class SetChangedError extends RegistryError<'ERR_SET_CHANGED'> {
  constructor(side: 'local' | 'remote', before: number, after: number) {
    super(
      'ERR_SET_CHANGED',
      `The ${side} set had ${before} members when decoding began and now has ${after}`,
      {
        retryable: true,
        hint: 'Begin again at symbol 0 with a new decoder.',
        details: { side, before, after }
      }
    )
  }
}
