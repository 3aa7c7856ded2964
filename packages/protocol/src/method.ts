/**
 * One thing a peer can be asked, in both directions: how its parameters and its result travel. The encoders bound what
 * this peer sends, the parsers what it takes. All four throw InvalidValueError (ERR_INVALID_VALUE).
 */
export interface Method<Params, Result> {
  name: string
  encodeParams(params: Params): unknown
  parseParams(value: unknown): Params
  /** Undefined when the answer is that there is none. */
  encodeResult(result: Result, params: Params): unknown
  parseResult(value: unknown, params: Params): Result
}

/** The bounds of one protocol; part of it, so both peers know them. */
export interface ProtocolShape {
  /** As in `/p2p-registry/<network>/<name>/1.0.0`. */
  name: string
  maxRequestBytes: number
  maxResponseBytes: number
  /** Requests of one stream worked on at once; those behind them wait. */
  maxConcurrentRequests: number
}

export function protocolId(network: string, shape: ProtocolShape): string {
  return `/p2p-registry/${network}/${shape.name}/1.0.0`
}

/** Bytes of requests that one stream may have unanswered. A transport that cannot stop a sender relies on it. */
export const MAX_UNANSWERED_BYTES: number = 1024 * 1024
