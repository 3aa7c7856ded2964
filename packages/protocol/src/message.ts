import { decode, encode } from '@ipld/dag-cbor'
import { InvalidValueError, parseCount, parseMap, parseText } from '@registry/types'

/** One request as it travels. `params` is unknown until its method's parser has read it. */
export interface RequestMessage {
  id: number
  method: string
  params: unknown
}

/** One answer as it travels. `result` is unknown until the method that was asked has read it. */
export type ResponseMessage =
  | { id: number; status: 'ok'; result: unknown }
  | { id: number; status: 'not-found' }
  | { id: number; status: 'busy' }
  | { id: number; status: 'error'; error: string }

export function encodeMessage(message: RequestMessage | ResponseMessage): Uint8Array {
  return encode(message)
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseRequest(frame: Uint8Array): RequestMessage {
  const map = parseMap(decoded(frame, 'request'), 'request')
  return {
    id: parseCount(map.id, 'request.id'),
    method: parseText(map.method, 'request.method', 64),
    params: map.params
  }
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseResponse(frame: Uint8Array): ResponseMessage {
  const map = parseMap(decoded(frame, 'response'), 'response')
  const id = parseCount(map.id, 'response.id')
  switch (map.status) {
    case 'ok':
      return { id, status: 'ok', result: map.result }
    case 'not-found':
    case 'busy':
      return { id, status: map.status }
    case 'error': {
      const error = parseText(map.error, 'response.error', 64)
      if (!isWireCode(error)) throw new InvalidValueError('response.error', 'must be an error code')
      return { id, status: 'error', error }
    }
    default:
      throw new InvalidValueError('response.status', 'is not known')
  }
}

function decoded(frame: Uint8Array, field: string): unknown {
  try {
    return decode(frame)
  } catch {
    throw new InvalidValueError(field, 'must be DAG-CBOR')
  }
}

/** Whether an error code may travel. */
export function isWireCode(code: string): boolean {
  return /^ERR_[A-Z0-9_]{1,60}$/.test(code)
}
