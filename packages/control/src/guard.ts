import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIPv4 } from 'node:net'
import { HostRefusedError, NotLocalError, OriginRefusedError, UnauthorizedError } from './errors.ts'

/** Whether a host name or address, IPv6 with or without brackets, can only mean this machine. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1').replace(/^::ffff:/, '')
  if (isIPv4(address)) return address.startsWith('127.')
  return address === '::1' || address.toLowerCase() === 'localhost'
}

/**
 * Lets a request pass that comes from this machine, under a name of this machine, and from no other site's page.
 *
 * @throws ERR_NOT_LOCAL, ERR_HOST_REFUSED, ERR_ORIGIN_REFUSED
 */
export function checkCaller({ headers, socket }: IncomingMessage): void {
  if (!isLoopback(socket.remoteAddress ?? '')) throw new NotLocalError()
  const { host = '', origin } = headers
  if (!isOwnHost(host, socket.localPort)) throw new HostRefusedError(host)
  if (origin !== undefined && !(origin.startsWith('http://') && isOwnHost(origin.slice(7), socket.localPort)))
    throw new OriginRefusedError(origin)
}

/** @throws ERR_UNAUTHORIZED */
export function checkToken({ headers }: IncomingMessage, token: string): void {
  const given = /^Bearer ([\w-]{1,256})$/.exec(headers.authorization ?? '')?.[1] ?? ''
  // Of hashes, so that neither the time nor the length of the comparison tells anything.
  if (!timingSafeEqual(sha256(given), sha256(token))) throw new UnauthorizedError()
}

function isOwnHost(host: string, ownPort: number | undefined): boolean {
  const [, name = '', port = '80'] = /^(\[[\da-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(host) ?? []
  return isLoopback(name) && Number(port) === ownPort
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
