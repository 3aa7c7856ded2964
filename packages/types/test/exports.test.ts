import { expect, it } from 'vitest'
import * as types from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(types).sort()).toEqual([
    'InvalidPackageNameError',
    'InvalidReferenceError',
    'InvalidValueError',
    'InvalidVersionError',
    'PROTOCOL_LIMITS',
    'Query',
    'RECORD_KINDS',
    'RegistryError',
    'compareVersions',
    'errorFromData',
    'formatPackageReference',
    'isOwnerId',
    'isRegistryError',
    'parseBytes',
    'parseContentId',
    'parseCount',
    'parseEnvelope',
    'parseList',
    'parseMap',
    'parseOptionalText',
    'parseOwnerDocument',
    'parseOwnerId',
    'parsePackageName',
    'parsePackageReference',
    'parseQuery',
    'parseRecordId',
    'parseRelease',
    'parseText',
    'parseTextMap',
    'parseVersion',
    'tarballFileName',
    'toPackage'
  ])
})
