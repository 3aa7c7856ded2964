/**
 * @packageDocumentation
 *
 * The local API of a running peer and its client: HTTP on loopback, behind a token that only the user of the peer can
 * read. It carries the calls of a `P2PRegistry` and adds no rule of its own.
 */

export {
  CONTROL_CLIENT_DEFAULTS,
  type ControlClient,
  type ControlClientInit,
  type ControlSubscribeOptions,
  controlClient
} from './client.ts'
export {
  type ControlFile,
  controlFilePath,
  createControlToken,
  readControlFile,
  removeControlFile,
  writeControlFile
} from './control-file.ts'
export {
  BodyTooLargeError,
  ConnectionLostError,
  ContentMismatchError,
  ControlFileError,
  DiskFullError,
  HostRefusedError,
  InternalError,
  type NearMisses,
  NoPeerError,
  NotFoundError,
  NotLocalError,
  OriginRefusedError,
  UnauthorizedError,
  UnknownMethodError,
  UnreadableAnswerError,
  WrongVerbError
} from './errors.ts'
export { isLoopback } from './guard.ts'
export {
  CONTROL_DEFAULTS,
  type ControlHandlerComponents,
  type ControlHandlerInit,
  controlHandler
} from './handler.ts'
export { httpStatusOf } from './http-status.ts'
export { CONTROL_PATH, type ListPage } from './methods.ts'
export { type NearMissSource, notFoundError } from './not-found.ts'
