import { type PeerIdText, RegistryError, type RegistryErrorOptions } from '@registry/types'

/** The key file holds a key of another type than the configuration asks for. The file stays as it is. */
export class KeyTypeMismatchError extends RegistryError<'ERR_KEY_TYPE_MISMATCH'> {
  constructor(path: string, configured: string, found: string) {
    super(
      'ERR_KEY_TYPE_MISMATCH',
      `The peer key file ${JSON.stringify(path)} holds a key of type ${found}, not ${configured}`,
      {
        hint: `Set the key type to ${found} to keep this peer's ID; or move the file away to get a new key and ID.`,
        details: { path, configured, found }
      }
    )
  }
}

/** The operating system refused to read or write the key file or the peer's database. */
export class PeerFileError extends RegistryError<'ERR_PEER_FILE'> {
  constructor(path: string, cause: unknown) {
    const reason = reasonOf(cause)
    super('ERR_PEER_FILE', `${JSON.stringify(path)} cannot be read or written: ${reason}`, {
      hint: 'Check that the folder is yours and writable, has room, and is used by no other peer.',
      details: { path, reason },
      cause
    })
  }
}

export class PortInUseError extends RegistryError<'ERR_PORT_IN_USE'> {
  constructor(address: string, cause: unknown) {
    super('ERR_PORT_IN_USE', `Another program already listens on ${JSON.stringify(address)}`, {
      hint: 'Stop that program, or listen on another port; port 0 takes any that is free.',
      details: { address },
      cause
    })
  }
}

/** A text that is no multiaddr, or one that this peer cannot listen on or dial. */
export class InvalidAddressError extends RegistryError<'ERR_INVALID_ADDRESS'> {
  constructor(
    address: string,
    reason: string,
    {
      hint = 'Write it as a multiaddr, for example /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo….',
      cause
    }: {
      hint?: string
      cause?: unknown
    } = {}
  ) {
    super('ERR_INVALID_ADDRESS', `${JSON.stringify(address.slice(0, 256))} cannot be used: ${reason}`, {
      hint,
      details: { address: address.slice(0, 256), reason },
      cause
    })
  }
}

export class ConnectionTimeoutError extends RegistryError<'ERR_CONNECTION_TIMEOUT'> {
  constructor(address: string, timeoutMs: number) {
    super('ERR_CONNECTION_TIMEOUT', `No connection to ${JSON.stringify(address)} within ${timeoutMs} ms`, {
      retryable: true,
      hint: 'Check that the peer runs and that no firewall is between; or raise the connection timeout.',
      details: { address, timeoutMs }
    })
  }
}

export class PeerUnreachableError extends RegistryError<'ERR_PEER_UNREACHABLE'> {
  constructor(address: string, cause: unknown) {
    super(
      'ERR_PEER_UNREACHABLE',
      `${JSON.stringify(address)} cannot be reached: ${JSON.stringify(reasonOf(cause))}`,
      {
        retryable: true,
        hint: 'Check the address, and that the peer there runs.',
        details: { address, reason: reasonOf(cause) },
        cause
      }
    )
  }
}

/** A transport is switched on that this machine cannot load. */
export class TransportUnavailableError extends RegistryError<'ERR_TRANSPORT_UNAVAILABLE'> {
  constructor(protocol: string, cause: unknown) {
    super('ERR_TRANSPORT_UNAVAILABLE', `The transport ${protocol} cannot be loaded: ${reasonOf(cause)}`, {
      hint: `Leave ${protocol} out of the configured protocols; its native part may not exist for this platform.`,
      details: { protocol, reason: reasonOf(cause) },
      cause
    })
  }
}

/** The peer is not started, or is stopped. */
export class NotRunningError extends RegistryError<'ERR_NOT_RUNNING'> {
  constructor() {
    super('ERR_NOT_RUNNING', 'The peer does not run', { hint: 'Start it first.' })
  }
}

/** A peer handed over more than its share; told to that peer, which may try again later. */
export class TooManyRecordsError extends RegistryError<'ERR_PEER_BUSY'> {
  constructor() {
    super('ERR_PEER_BUSY', 'More new records than one peer may hand over in this time', {
      retryable: true
    })
  }
}

/** A peer compares more parts of the catalogue than it may in this time; told to that peer, which may try again later. */
export class TooManyScopesError extends RegistryError<'ERR_PEER_BUSY'> {
  constructor() {
    super('ERR_PEER_BUSY', 'More scopes of the catalogue than one peer may compare in this time', {
      retryable: true
    })
  }
}

/** A peer asks for a part of the catalogue that is not kept here. */
export class ScopeAbsentError extends RegistryError<'ERR_SCOPE_ABSENT'> {
  constructor() {
    super('ERR_SCOPE_ABSENT', 'This part of the catalogue is not kept here')
  }
}

/** What a synchronisation ran out of, or would have to without end. */
export type SyncLimit =
  /** The peer's coded symbols are those of no set. */
  | 'symbols'
  /** The peer's record IDs are not in order, as those of a list without end would have to be. */
  | 'ids'
  /** The same of the records of its snapshot; or it has fewer of them by far than the peer says it holds. */
  | 'snapshot'
  /** More records refused, or listed and then not handed over, than an honest peer can have. */
  | 'refused'
  /** More bytes than one synchronisation may take. What came is kept; the next one goes on from there. */
  | 'bytes'
  /** As `bytes`, for time. */
  | 'time'

/** A synchronisation was ended from this side. Retryable when an honest peer may have run into the limit. */
export class SyncLimitError extends RegistryError<'ERR_SYNC_LIMIT'> {
  constructor(peerId: PeerIdText, limit: SyncLimit, received: number, refused: number) {
    const options: RegistryErrorOptions = {
      retryable: limit === 'bytes' || limit === 'time',
      details: { peerId, limit, received, refused }
    }
    super('ERR_SYNC_LIMIT', `The synchronisation with ${peerId} was ended at its limit of ${limit}`, options)
  }
}

export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
