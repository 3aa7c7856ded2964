/**
 * @packageDocumentation
 *
 * All that a peer keeps: the set of verified records, the views folded from it, their search index, the contents of
 * packages by CID, and what is still to be announced. One folder, SQLite and files; no network.
 */

export {
  CorruptBlobError,
  DataDirInUseError,
  HashMismatchError,
  NewerSchemaError,
  NotStoredError,
  QuotaExceededError,
  StaleStatementError,
  StorageError,
  type StorageFault,
  StoreCorruptError,
  StoreNotRunningError,
  TooLargeError,
  VerificationFailedError,
  VersionExistsError
} from './errors.ts'
export { Fingerprint } from './fingerprint.ts'
export {
  REGISTRY_STORE_DEFAULTS,
  type RegistryStoreComponents,
  type RegistryStoreInit,
  registryStore
} from './registry-store.ts'
