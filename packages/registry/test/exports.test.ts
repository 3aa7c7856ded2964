import { expect, it } from 'vitest'
import * as registry from '../src/index.ts'

it('exports what is documented, and nothing else', () => {
  expect(Object.keys(registry).sort()).toEqual([
    'CorruptNamesError',
    'CorruptTarballError',
    'InvalidCursorError',
    'InvalidManifestError',
    'MANIFEST_FILES',
    'NoManifestError',
    'NotRunningError',
    'P2PRegistryBuilder',
    'PACKING_LIMITS',
    'PackageTooLargeError',
    'Query',
    'REGISTRY_DEFAULTS',
    'RETRY_DEFAULTS',
    'RegistryError',
    'SECURITY_DEFAULTS',
    'SourceChangedError',
    'SourceUnreadableError',
    'TargetNotEmptyError',
    'UnsafeEntryError',
    'UnsafePathError',
    'UnwritableError',
    'VersionConflictedError',
    'VersionExistsError',
    'createRegistry',
    'defaultConfig',
    'defaultDataDir',
    'inspectTarball',
    'isRegistryError',
    'packPackage',
    'parseOwnerId',
    'parsePackageName',
    'retry',
    'systemClock',
    'unpackTarball',
    'validatePackage'
  ])
})
