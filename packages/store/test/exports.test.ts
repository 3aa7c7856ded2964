import { expect, it } from 'vitest'
import * as store from '../src/index.ts'

it('exports exactly this', () => {
  expect(Object.keys(store).sort()).toEqual([
    'CorruptBlobError',
    'DataDirInUseError',
    'Fingerprint',
    'HashMismatchError',
    'NewerSchemaError',
    'NotStoredError',
    'QuotaExceededError',
    'REGISTRY_STORE_DEFAULTS',
    'StaleStatementError',
    'StorageError',
    'StoreCorruptError',
    'StoreNotRunningError',
    'TooLargeError',
    'VerificationFailedError',
    'VersionExistsError',
    'registryStore'
  ])
})
