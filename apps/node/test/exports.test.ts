import { expect, it } from 'vitest'
import * as node from '../src/index.ts'

it('exports what its README lists, and nothing else', () => {
  expect(Object.keys(node).sort()).toEqual([
    'EXIT_CODES',
    'HTTP_DEFAULTS',
    'HttpListenError',
    'HttpNotLoopbackError',
    'HttpPortInUseError',
    'LOG_LEVELS',
    'StopTimeoutError',
    'UsageError',
    'addNodeOptions',
    'defaultNodeConfig',
    'errorDataOf',
    'errorText',
    'exitCodeOf',
    'exitWith',
    'hideSqliteWarning',
    'loadNodeConfig',
    'namedDataDir',
    'readNodeOptions',
    'runCommandLine',
    'runNode',
    'startNode'
  ])
})
