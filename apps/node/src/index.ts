/**
 * @packageDocumentation
 *
 * A peer as a program: where the layers meet and become a process with options, signals and an exit code. `startNode` runs
 * one in a process of one's own.
 */

export { runCommandLine } from './command-line.ts'
export { errorDataOf, errorText } from './error-text.ts'
export {
  HttpListenError,
  HttpNotLoopbackError,
  HttpPortInUseError,
  StopTimeoutError,
  UsageError
} from './errors.ts'
export { EXIT_CODES, exitCodeOf } from './exit-code.ts'
export { LOG_LEVELS, type LogLevel } from './line-logger.ts'
export { defaultNodeConfig, type NodeComponents, type NodeInit, type RunningNode, startNode } from './node.ts'
export { HTTP_DEFAULTS, loadNodeConfig, type NodeConfigSources, namedDataDir } from './node-config.ts'
export { addNodeOptions, type NodeOptions, readNodeOptions } from './node-options.ts'
export { exitWith, runNode } from './run-node.ts'
export { hideSqliteWarning } from './warnings.ts'
