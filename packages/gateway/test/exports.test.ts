import { expect, it } from 'vitest'
import * as gateway from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(gateway).sort()).toEqual([
    'BodyTooLargeError',
    'DiskRefusedError',
    'ForeignNameError',
    'GATEWAY_DEFAULTS',
    'HostRefusedError',
    'InvalidUploadError',
    'ManifestMismatchError',
    'MethodRefusedError',
    'NameTakenError',
    'NothingFoundError',
    'OriginRefusedError',
    'PublishedBeforeError',
    'StaleDocumentError',
    'TooManyUploadsError',
    'UnauthorizedError',
    'UnsupportedError',
    'UpstreamMismatchError',
    'UpstreamUnavailableError',
    'gateway',
    'openTokens',
    'parseNpmName',
    'tokensFolder'
  ])
})
