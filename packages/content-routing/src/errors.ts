import { type ContentId, RegistryError } from '@registry/types'

/** Nobody is known to have the content, or everybody who was failed to hand it over. */
export class NoProvidersError extends RegistryError<'ERR_NO_PROVIDERS'> {
  constructor(cid: ContentId, asked: number) {
    const message =
      asked === 0
        ? `No peer is known to have the content ${cid}`
        : `None of the ${asked} peers asked could hand over the content ${cid}`
    super('ERR_NO_PROVIDERS', message, {
      retryable: true,
      hint: 'Connect to more peers, or try again when one that has it is online. What has come is kept.',
      details: { cid, asked }
    })
  }
}

/** The content did not come any further for too long. */
export class FetchTimeoutError extends RegistryError<'ERR_FETCH_TIMEOUT'> {
  constructor(cid: ContentId, timeoutMs: number) {
    super('ERR_FETCH_TIMEOUT', `Nothing of the content ${cid} came for ${timeoutMs} ms`, {
      retryable: true,
      hint: 'Try again: what has come is kept, and a peer that did not answer is asked last.',
      details: { cid, timeoutMs }
    })
  }
}

/** The content is what its CID says, but not what the record says of it. */
export class HashMismatchError extends RegistryError<'ERR_HASH_MISMATCH'> {
  constructor(cid: ContentId, reason: string) {
    super('ERR_HASH_MISMATCH', `The content ${cid} is not what its record says: ${reason}`, {
      hint: 'Only its publisher can repair this, with a new version.',
      details: { cid, reason }
    })
  }
}

/** No peer of the DHT took the announcement. */
export class NotProvidedError extends RegistryError<'ERR_NOT_PROVIDED'> {
  constructor(cid: ContentId, cause: unknown) {
    super('ERR_NOT_PROVIDED', `The content ${cid} could not be announced`, {
      retryable: true,
      hint: 'It is tried again by itself as long as this peer runs.',
      details: { cid },
      cause
    })
  }
}

/** The router was stopped while the content was on its way. */
export class RouterStoppedError extends RegistryError<'ERR_NOT_RUNNING'> {
  constructor() {
    super('ERR_NOT_RUNNING', 'The content router has stopped', { hint: 'Start it, and try again.' })
  }
}
