import { type PackageProtocolHandlers, RegistryError } from '@registry/types'

const refuse = async (): Promise<never> => {
  throw new RegistryError('ERR_REFUSED', 'This peer answers nothing')
}

/** What a peer answers that nobody shall ask: each question is met with ERR_REMOTE there. */
export const refusingHandlers: Readonly<PackageProtocolHandlers> = Object.freeze({
  getPackage: refuse,
  lookupName: refuse,
  searchPackages: refuse,
  publishPackage: refuse,
  holdsCatalogue: refuse,
  compare: refuse,
  symbols: refuse,
  exchangeRecords: refuse,
  recordIds: refuse,
  snapshot: refuse,
  block: refuse,
  holdings: refuse,
  locate: refuse,
  document: refuse,
  announceHoldings: refuse
})
