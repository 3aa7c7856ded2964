import { expect, it } from 'vitest'
import * as control from '../src/index.ts'

it('exports what its README lists, and nothing else', () => {
  expect(Object.keys(control).sort()).toEqual([
    'BodyTooLargeError',
    'CONTROL_CLIENT_DEFAULTS',
    'CONTROL_DEFAULTS',
    'CONTROL_PATH',
    'ConnectionLostError',
    'ContentMismatchError',
    'ControlFileError',
    'DiskFullError',
    'HostRefusedError',
    'InternalError',
    'NoPeerError',
    'NotFoundError',
    'NotLocalError',
    'OriginRefusedError',
    'UnauthorizedError',
    'UnknownMethodError',
    'UnreadableAnswerError',
    'WrongVerbError',
    'controlClient',
    'controlFilePath',
    'controlHandler',
    'createControlToken',
    'httpStatusOf',
    'isLoopback',
    'notFoundError',
    'readControlFile',
    'removeControlFile',
    'writeControlFile'
  ])
})
