import { type PeerIdText, RegistryError } from '@registry/types'

/** The peer did not answer in time; the stream it was asked on is given up. */
export class RequestTimeoutError extends RegistryError<'ERR_REQUEST_TIMEOUT'> {
  constructor(peerId: PeerIdText, method: string, timeoutMs: number) {
    super('ERR_REQUEST_TIMEOUT', `Peer ${peerId} did not answer ${method} within ${timeoutMs} ms`, {
      retryable: true,
      hint: 'Try again, or ask another peer.',
      details: { peerId, method, timeoutMs }
    })
  }
}

/** No stream to the peer could be opened, or it was lost before the answer came. The peer may have acted on the request. */
export class PeerUnreachableError extends RegistryError<'ERR_PEER_UNREACHABLE'> {
  constructor(peerId: PeerIdText, method: string, cause?: unknown) {
    super('ERR_PEER_UNREACHABLE', `Peer ${peerId} could not be asked for ${method}`, {
      retryable: true,
      hint: 'Check that the peer runs and is of the same network, or ask another one.',
      details: { peerId, method },
      cause
    })
  }
}

/** This peer has as many unanswered requests to the other as it allows itself; nothing was sent. */
export class TooManyRequestsError extends RegistryError<'ERR_TOO_MANY_REQUESTS'> {
  constructor(peerId: PeerIdText, maxPendingRequests: number) {
    super('ERR_TOO_MANY_REQUESTS', `${maxPendingRequests} requests to peer ${peerId} wait for an answer`, {
      retryable: true,
      hint: 'Wait for some of them, or ask another peer.',
      details: { peerId, maxPendingRequests }
    })
  }
}

/** The peer refused the request without looking at it: it has too much to do, or we ask too often. */
export class PeerBusyError extends RegistryError<'ERR_PEER_BUSY'> {
  constructor(peerId: PeerIdText, method: string) {
    super('ERR_PEER_BUSY', `Peer ${peerId} is too busy for ${method}`, {
      retryable: true,
      hint: 'Wait a moment, or ask another peer.',
      details: { peerId, method }
    })
  }
}

/** The peer sent what the protocol does not allow; `reason` is the rule it broke. */
export class ProtocolError extends RegistryError<'ERR_PROTOCOL'> {
  constructor(peerId: PeerIdText, reason: string, cause?: unknown) {
    super('ERR_PROTOCOL', `Peer ${peerId} broke the protocol: ${reason}`, {
      hint: 'Ask another peer; this one runs other or faulty software.',
      details: { peerId, reason },
      cause
    })
  }
}

/** The peer tried and failed. `details.code` is all that it tells. */
export class RemoteError extends RegistryError<'ERR_REMOTE'> {
  constructor(peerId: PeerIdText, method: string, code: string) {
    super('ERR_REMOTE', `Peer ${peerId} failed to answer ${method}: ${code}`, {
      hint: 'Ask another peer.',
      details: { peerId, method, code }
    })
  }
}

/** A request before `start` or after `stop`, or one that `stop` ended. */
export class NotRunningError extends RegistryError<'ERR_NOT_RUNNING'> {
  constructor() {
    super('ERR_NOT_RUNNING', 'The package protocols are not running', { hint: 'Start the peer first.' })
  }
}
