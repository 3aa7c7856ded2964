import type { IncomingMessage } from 'node:http'
import { isIPv4 } from 'node:net'
import { HostRefusedError, OriginRefusedError } from './errors.ts'

/**
 * Lets a request pass that was sent to a name of this machine, or to the public one, and not by a page of another site.
 * Resolves to the address under which the caller knows this registry, without a slash at its end.
 *
 * @throws {HostRefusedError} ERR_HOST_REFUSED; {OriginRefusedError} ERR_ORIGIN_REFUSED
 */
export function checkedBaseUrl({ headers }: IncomingMessage, publicUrl: URL | undefined): string {
  const { host = '', origin } = headers
  const isPublic = publicUrl !== undefined && host.toLowerCase() === publicUrl.host
  if (!isPublic && !isLoopbackHost(host)) throw new HostRefusedError(host)
  if (headers['sec-fetch-site'] === 'cross-site') throw new OriginRefusedError(origin ?? 'another site')
  const isOwnPage = origin === undefined || origin === `http://${host}` || origin === publicUrl?.origin
  if (!isOwnPage) throw new OriginRefusedError(origin)
  return publicUrl === undefined ? `http://${host}` : publicUrl.href.replace(/\/+$/, '')
}

/** Any port: a tunnel leads here under one of its own. */
function isLoopbackHost(host: string): boolean {
  const [, name = ''] = /^(\[::1\]|[a-zA-Z\d.]+)(?::\d{1,5})?$/.exec(host) ?? []
  if (isIPv4(name)) return name.startsWith('127.')
  return name === '[::1]' || name.toLowerCase() === 'localhost'
}
